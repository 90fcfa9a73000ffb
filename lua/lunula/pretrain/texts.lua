--- Unlabelled texts: where they come from, tokenized, masked, in batches.
-- @module lunula.pretrain.texts

local data = require "lunula.data"
local encoded = require "lunula.encoded"
local masks = require "lunula.pretrain.masks"
local sampler = require "lunula.sampler"

local texts = {}

local Texts = {}
Texts.__index = Texts

local SCANNED = 1024  -- rows that are looked at together

local function as_row(text, i, what)
  if type(text) == "string" then return { text = text } end
  if type(text) == "table" and type(text.text) == "string" then return text end
  error(("%s: %d: expected a string or a row with a text, got a %s"):format(
    what, i, type(text)), 0)
end

--- Texts as rows.
-- @tparam string|table given a file, as `data.read` takes it; or an array of
--   strings or of rows
-- @string what who asks, for the message
-- @tparam[opt] table columns options of `data.read`
-- @treturn {table,...} rows with `text`
-- @raise when the file can't be read, or there are none
function texts.rows(given, what, columns)
  if type(given) == "string" then
    local o = { label = false }
    for name, value in pairs(columns or {}) do o[name] = value end
    return data.read(given, o)
  elseif type(given) ~= "table" or #given == 0 then
    error(what .. ": expected a file or an array of texts", 0)
  end
  local rows = {}
  for i, text in ipairs(given) do rows[i] = as_row(text, i, what) end
  return rows
end

-- the sequences in which there is something to learn
local function with_words(self)
  local kept, lengths = {}, self.tokens.lengths
  for first = 1, #lengths, SCANNED do
    local some = {}
    for i = first, math.min(first + SCANNED - 1, #lengths) do
      some[#some + 1] = i
    end
    for i, has in ipairs(self.masks:have_words(self.tokens:batch(some))) do
      kept[#kept + 1] = has and some[i] or nil
    end
  end
  return kept
end

--- Tokenizes texts. What of one is over `max_length` is not cut, but is a
-- sequence of its own.
-- @tparam table model as from `pretrain.model`
-- @tparam {table,...} rows as from `rows`
-- @string what who asks, for the message
-- @tparam table o `max_length`, `masking`, and the `seed` of the masks
-- @treturn Texts with the methods below; `sequences`, those that have words,
--   and `lengths`, the tokens of each of these
-- @raise when none has any
function texts.new(model, rows, what, o)
  local self = setmetatable({
    tokens = encoded.new(model.tokenizer, rows, o.max_length, what,
      { truncation = "windows", stride = 0 }),
    masks = masks.new(model.tokenizer, { masking = o.masking, seed = o.seed,
      vocab_size = model.config.vocab_size }),
  }, Texts)
  self.sequences = with_words(self)
  if #self.sequences == 0 then error(what .. ": no words in them", 0) end
  self.lengths = sampler.pick(self.tokens.lengths, self.sequences)
  return self
end

--- A batch with masks.
-- @tparam {int,...} numbers of `sequences`
-- @int epoch each has masks of its own
-- @treturn table as from `masks:apply`
-- @treturn int its tokens
function Texts:batch(numbers, epoch)
  local rows = sampler.pick(self.sequences, numbers)
  local batch, count = self.tokens:batch(rows)
  return self.masks:apply(batch, rows, epoch), count
end

return texts
