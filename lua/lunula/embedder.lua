--- Sentence vectors, as sentence-transformers makes them of the same folder.
-- An encoder, the mean of a text's token vectors (or its first one), and L2
-- normalisation: then a dot product is the cosine. Of the folder `modules.json`
-- (which pooling, normalised or not), `1_Pooling/config.json`,
-- `sentence_bert_config.json` (max_seq_length) and
-- `config_sentence_transformers.json` (a prompt) are heeded, as far as they
-- are there; without them it is the mean, normalised.
-- Reimers & Gurevych 2019, https://arxiv.org/abs/1908.10084.
-- @classmod lunula.embedder

local check = require "lunula.check"
local checkpoint = require "lunula.checkpoint"
local encoded = require "lunula.encoded"
local encoder = require "lunula.encoder"
local files = require("lunula.core").io
local hub = require "lunula.hub"
local json = require "lunula.json"
local nn = require "lunula.nn"
local no_grad = require("lunula.grad").no_grad
local options = require "lunula.options"
local sampler = require "lunula.sampler"
local tensor = require "lunula.tensor"
local tokenizer = require "lunula.tokenizer"

local Embedder = {}
Embedder.__index = Embedder

local none = options.none
local KNOWN = { pooling = none, normalize = none, max_length = none }
local ENCODE = { batch_size = 32 }

local POOLINGS = { first = true, mean = true }

-- {======== the folder ========

-- a file's JSON object or array; nil where there is no such file
local function read_json(path)
  if files.stat(path) ~= "file" then return nil end
  local file = assert(io.open(path, "rb"))
  local bytes = file:read("*a") or ""
  file:close()
  local value = json.values(bytes, path)
  if type(value) ~= "table" then error(path .. ": no JSON object", 0) end
  return value
end

-- sentence-transformers' names of what we have, old and new
local POOLING_OF = {
  mean = "mean", cls = "first",
  pooling_mode_mean_tokens = "mean", pooling_mode_cls_token = "first",
}

-- the pooling that a folder's config asks for
local function read_pooling(path)
  local config = read_json(path)
  if not config then error(path .. ": no such file", 0) end
  local asked = { config.pooling_mode }
  for name, value in pairs(config) do
    if name:find("^pooling_mode_") and value == true then
      asked[#asked + 1] = name
    end
  end
  local pooling = #asked == 1 and POOLING_OF[asked[1]]
  if not pooling then
    table.sort(asked)
    error(("%s: pooling: only mean and cls are supported, each alone, got %s")
      :format(path, #asked > 0 and table.concat(asked, ", ") or "none"), 0)
  end
  return pooling
end

-- a folder of sentence-transformers has a list of modules that a text goes
-- through, one after the other
local function read_modules(dir)
  local path = dir .. "/modules.json"
  local modules, found = read_json(path), {}
  if not modules then return { pooling = "mean", normalize = true } end
  for i, module in ipairs(modules) do
    local kind = type(module) == "table" and type(module.type) == "string"
      and module.type:match("[^.]+$")
    local folder = kind and type(module.path) == "string" and module.path
    if kind == "Transformer" and i == 1 and folder == "" then
      found.pooling = "mean"
    elseif kind == "Pooling" and i == 2 and folder
        and not folder:find("..", 1, true) then
      found.pooling = read_pooling(dir .. "/" .. folder .. "/config.json")
    elseif kind == "Normalize" and i == 3 then
      found.normalize = true
    else
      error(("%s: module %d: expected a Transformer, then a Pooling, then "
        .. "Normalize or nothing, got %s"):format(path, i, tostring(kind)), 0)
    end
  end
  if not found.pooling then error(path .. ": no module in it", 0) end
  return found
end

local function read_max_length(self, dir)
  local path = dir .. "/sentence_bert_config.json"
  local most = self.encoder.config.max_position_embeddings
  local given = (read_json(path) or {}).max_seq_length
  if given == nil or given == json.null then
    return math.min(self.tokenizer.max_length, most)
  end
  check.integer(given, path .. ": max_seq_length", { least = 2 })
  return math.min(given, most)
end

-- what is put before each text
local function read_prompt(dir)
  local path = dir .. "/config_sentence_transformers.json"
  local config = read_json(path) or {}
  local name, prompts = config.default_prompt_name, config.prompts
  if name == nil or name == json.null then return "" end
  local prompt = type(prompts) == "table" and prompts[name]
  return check.string(prompt or nil, ("%s: prompts: %s"):format(path,
    tostring(name)))
end

-- }========

--- Makes an embedder of a folder.
-- @function embedder
-- @string name_or_dir a folder, or a name as in `hub.resolve`
-- @tparam[opt] table given
-- @string[opt] given.pooling "mean" or "first"; the folder's when not given
-- @bool[opt] given.normalize vectors of length 1; the folder's when not given
-- @int[opt] given.max_length most tokens of a text; the folder's when not
--   given
-- @treturn embedder with the fields `encoder`, `tokenizer`, `hidden_size`,
--   `pooling`, `normalize`, `max_length`, `prompt`
-- @raise naming the file that is missing or wrong, or asks for what is not
--   supported
-- @usage local embedder = lunula.embedder "all-MiniLM-L6-v2"
-- print(embedder:encode { "How do I pay?", "Where is my parcel?" })
local function embedder(name_or_dir, given)
  local o = options.check(given, KNOWN, "embedder")
  local dir = hub.resolve(name_or_dir)
  local saved, modules = checkpoint.read(dir), read_modules(dir)
  local self = setmetatable({
    encoder = encoder.from(saved), tokenizer = tokenizer.from(saved),
    pooling = modules.pooling, normalize = modules.normalize or false,
    prompt = read_prompt(dir),
  }, Embedder)
  self.hidden_size = self.encoder.hidden_size
  self.max_length = read_max_length(self, dir)
  if o.pooling ~= nil then
    self.pooling = check.choice(o.pooling, "embedder: pooling", POOLINGS)
  end
  if o.normalize ~= nil then
    self.normalize = check.boolean(o.normalize, "embedder: normalize")
  end
  if o.max_length ~= nil then
    self.max_length = check.integer(o.max_length, "embedder: max_length",
      { least = 2, most = self.encoder.config.max_position_embeddings })
  end
  return self
end

-- {======== encoding ========

local function vectors_of(self, batch)
  local pooled = self.encoder:pooled(batch, self.pooling)
  return self.normalize and nn.normalize(pooled) or pooled
end

local function encode_all(self, rows, limit)
  local tokens = encoded.new(self.tokenizer, rows, self.max_length, "encode")
  return tokens:map(function(batch) return vectors_of(self, batch) end,
    self.hidden_size, limit.batch_size)
end

--- The vectors of texts.
-- Texts of like length are read together; the order stays.
-- @tparam string|{string,...} texts
-- @tparam[opt] table given
-- @int[opt=32] given.batch_size
-- @return tensor float32 [texts, hidden_size]; [hidden_size] for one string
-- @raise when a text is no string
-- @usage local vectors = embedder:encode(texts)
-- print(vectors:matmul(vectors:transpose(1, 2)))  -- each text beside each
function Embedder:encode(texts, given)
  local o = options.check(given, ENCODE, "encode")
  sampler.check(o, "encode")
  if type(texts) == "string" then
    return self:encode({ texts }, o):reshape { self.hidden_size }
  end
  check.table(texts, "encode: texts")
  local rows = {}
  for i, text in ipairs(texts) do
    rows[i] = { text = type(text) == "string" and self.prompt .. text or text }
  end
  if #rows == 0 then return tensor.zeros { 0, self.hidden_size } end
  return no_grad(encode_all, self, rows, o)
end

-- }========

--- One line: its encoder, how it pools, how much of a text it reads.
function Embedder:__tostring()
  return ("embedder (%s; %s%s; %d tokens of a text)"):format(
    tostring(self.encoder), self.pooling,
    self.normalize and ", normalised" or "", self.max_length)
end

return embedder
