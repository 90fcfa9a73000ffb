--- Reads the tokenizer files of a Hugging Face folder.
-- Either `tokenizer.json`, or `vocab.txt` with `tokenizer_config.json`; what
-- comes out is the same plain table, the settings of lunula.core.tokenizer
-- and what lunula.tokenizer itself has to know. A file is believed only after
-- every field that is used was checked; each error names file and field.
-- @module lunula.tokenizer.reader

local core_vocabulary = require("lunula.core").vocabulary
local json = require "lunula.json"

local reader = {}

local SPECIAL_NAMES = { "unk", "sep", "pad", "cls", "mask" }
local LONGEST = 512  -- BERT's positions: as much as any model of it takes
local REPLACEMENT = "\239\191\189"  -- U+FFFD, what invalid bytes read as

-- 1. files and fields

-- a parsed file and its name: what `get` looks into
local function document(dir, files, name)
  local path = dir .. "/" .. name
  if not files[name] then return { path = path, root = {} } end
  local root = json.values(files[name], path)
  if type(root) ~= "table" then
    error(path .. ": expected an object, got " .. type(root), 0)
  end
  return { path = path, root = root }
end

local function fail(doc, field, message, ...)
  error(("%s: %s: %s"):format(doc.path, field, message:format(...)), 0)
end

-- a number as it was written, not as Lua keeps it (7, not 7.0)
local function shown(value)
  return type(value) == "number" and ("%.14g"):format(value) or tostring(value)
end

local function lookup(root, field)
  local value = root
  for name in field:gmatch "[^.]+" do
    if type(value) ~= "table" then return nil end
    value = value[name]
  end
  if value == json.null then return nil end
  return value
end

-- doc's field ("model.vocab") of that type; `default` where it is absent
local function get(doc, field, kind, default)
  local value = lookup(doc.root, field)
  if value == nil then value = default end
  if value == nil then fail(doc, field, "missing") end
  if type(value) ~= kind then
    fail(doc, field, "expected a %s, got %s", kind, type(value))
  end
  return value
end

local function get_integer(doc, field, low, default)
  local value = get(doc, field, "number", default)
  if value ~= math.floor(value) or value < low or value >= 2 ^ 31 then
    fail(doc, field, "expected an integer of at least %d, got %s", low,
      shown(value))
  end
  return value
end

local function expect_type(doc, field, expected)
  local value = get(doc, field .. ".type", "string")
  if value ~= expected then
    fail(doc, field .. ".type", "expected %s, got %s: not supported",
      expected, value)
  end
end

-- 2. the vocabulary

-- tokens by id from a map of ids: they must be 0 .. n - 1, each once
local function tokens_by_id(doc, field, ids)
  local tokens, count = {}, 0
  for _ in pairs(ids) do count = count + 1 end
  for token, id in pairs(ids) do
    if type(token) ~= "string" or type(id) ~= "number" then
      fail(doc, field, "expected tokens with their ids")
    end
    if not (id >= 0 and id < count) or id ~= math.floor(id) then
      fail(doc, field, "token '%s' has id %s, but the %d tokens must have "
        .. "the ids 0 to %d", token, shown(id), count, count - 1)
    end
    if tokens[id + 1] then
      fail(doc, field, "tokens '%s' and '%s' both have id %d", tokens[id + 1],
        token, id)
    end
    tokens[id + 1] = token
  end
  return tokens
end

-- What stands for the vocabulary in the rest of a tokenizer.json.
local CUT_OUT = true

-- The vocabulary of a tokenizer.json, and its root without. It is nearly all
-- of the file, so that the core reads it where it is written as the library
-- writes it; JSON proper is what has one value where it was cut out, at its
-- place. Nothing where that is not so: then all is for the parser.
local function cut_vocabulary(text)
  local _, at = text:find '"vocab"%s*:%s*{'
  if not at then return end
  local vocabulary, behind = core_vocabulary.json(text, at)
  if not vocabulary then return end
  local ok, root = pcall(json.values,
    text:sub(1, at - 1) .. tostring(CUT_OUT) .. text:sub(behind), "")
  if ok and lookup(root, "model.vocab") == CUT_OUT then
    return vocabulary, root
  end
end

-- the vocabulary and the other fields of a tokenizer.json
local function read_json(dir, files)
  local path = dir .. "/tokenizer.json"
  local vocabulary, root = cut_vocabulary(files["tokenizer.json"])
  if vocabulary then return vocabulary, { path = path, root = root } end
  local doc = document(dir, files, "tokenizer.json")
  expect_type(doc, "model", "WordPiece")
  return core_vocabulary.list(tokens_by_id(doc, "model.vocab",
    get(doc, "model.vocab", "table"))), doc
end

local function read_lines(path, text)
  local ok, vocabulary = pcall(core_vocabulary.lines, text)
  if not ok then error(path .. ":" .. vocabulary, 0) end
  return vocabulary
end

-- the id of a token, the added ones included, or nil
local function id_of(settings, token)
  return settings.added_ids[token] or settings.core.vocabulary:id(token)
end

-- the id of a token that must be in the vocabulary
local function require_id(settings, doc, field, token)
  local id = id_of(settings, token)
  if not id then fail(doc, field, "'%s' is not in the vocabulary", token) end
  return id
end

-- 3. added tokens

-- one added token: known by its id in the vocabulary, or the next behind it
local function add_token(settings, doc, field, token)
  local core, content = settings.core, token.content
  local next_id = core.vocabulary:count() + #core.beyond
  local known = id_of(settings, content) or next_id
  if token.id ~= known then
    fail(doc, field, "token '%s' has id %s, expected %d", content,
      shown(token.id), known)
  end
  if content:find(REPLACEMENT, 1, true) then
    fail(doc, field, "token '%s' holds U+FFFD, which stands for invalid "
      .. "bytes: not supported", content)
  end
  if known == next_id then
    core.beyond[#core.beyond + 1], settings.added_ids[content] = content, known
  end
  if token.special then settings.special[known] = true end
  if content ~= "" then core.added[#core.added + 1] = token end
end

local function parse_added(doc, field, given, id)
  local token = { path = doc.path, root = given }
  if type(given) ~= "table" then fail(doc, field, "expected objects") end
  local special = get(token, "special", "boolean", false)
  return {
    id = id or get_integer(token, "id", 0),
    content = get(token, "content", "string"),
    special = special,
    single_word = get(token, "single_word", "boolean", false),
    lstrip = get(token, "lstrip", "boolean", false),
    rstrip = get(token, "rstrip", "boolean", false),
    normalized = get(token, "normalized", "boolean", not special),
  }
end

-- 4. special tokens around the texts

local function bert_template(cls, sep, paired)
  local parts = {
    { id = cls, type = 0 }, { text = 1, type = 0 }, { id = sep, type = 0 },
  }
  if paired then
    parts[4] = { text = 2, type = 1 }
    parts[5] = { id = sep, type = 1 }
  end
  return parts
end

local function has_id(settings, id)
  local core = settings.core
  return type(id) == "number" and id % 1 == 0 and id >= 0
    and id < core.vocabulary:count() + #core.beyond
end

local function add_special_parts(parts, settings, doc, part, field)
  local name = get(part, "SpecialToken.id", "string")
  local kind = get_integer(part, "SpecialToken.type_id", 0)
  local all = get(doc, "post_processor.special_tokens", "table")
  local special = { path = doc.path, root = all[name] }
  if type(all[name]) ~= "table" then
    fail(doc, field, "'%s' is not in special_tokens", name)
  end
  for _, id in ipairs(get(special, "ids", "table")) do
    if not has_id(settings, id) then
      fail(doc, "post_processor.special_tokens",
        "'%s' has id %s, which no token has", name, shown(id))
    end
    parts[#parts + 1] = { id = id, type = kind }
  end
end

local SEQUENCES = { A = 1, B = 2 }

-- post_processor.single or .pair: text A, and in a pair B, each once
local function template(settings, doc, name, texts)
  local field, parts, seen = "post_processor." .. name, {}, {}
  for _, root in ipairs(get(doc, field, "table")) do
    local part = { path = doc.path .. ": " .. field, root = root }
    if lookup(root, "SpecialToken") then
      add_special_parts(parts, settings, doc, part, field)
    else
      local text = SEQUENCES[get(part, "Sequence.id", "string")]
      if not text or text > texts or seen[text] then
        fail(doc, field, "expected each text once")
      end
      seen[text] = true
      parts[#parts + 1] =
        { text = text, type = get_integer(part, "Sequence.type_id", 0) }
    end
  end
  if not seen[1] or texts == 2 and not seen[2] then
    fail(doc, field, "expected each text once")
  end
  if #parts > 16 then fail(doc, field, "more than 16 parts") end
  return parts
end

local function bert_processing(settings, doc, name)
  local field = "post_processor." .. name
  local pair = get(doc, field, "table")
  if type(pair[1]) ~= "string" then
    fail(doc, field, "expected a token and its id")
  end
  local id = require_id(settings, doc, field, pair[1])
  if pair[2] ~= id then
    fail(doc, field, "'%s' has id %s here, and %d in the vocabulary", pair[1],
      shown(pair[2]), id)
  end
  return id
end

local function read_post_processor(settings, doc)
  local kind = get(doc, "post_processor.type", "string")
  local core = settings.core
  if kind == "TemplateProcessing" then
    core.single = template(settings, doc, "single", 1)
    core.pair = template(settings, doc, "pair", 2)
  elseif kind == "BertProcessing" then
    local cls = bert_processing(settings, doc, "cls")
    local sep = bert_processing(settings, doc, "sep")
    core.single = bert_template(cls, sep, false)
    core.pair = bert_template(cls, sep, true)
  else
    fail(doc, "post_processor.type", "expected TemplateProcessing or "
      .. "BertProcessing, got %s: not supported", kind)
  end
end

-- 5. tokenizer.json

local function read_normalizer(core, doc)
  expect_type(doc, "normalizer", "BertNormalizer")
  for _, name in ipairs { "clean_text", "handle_chinese_chars", "lowercase" } do
    core[name] = get(doc, "normalizer." .. name, "boolean")
  end
  core.strip_accents =
    get(doc, "normalizer.strip_accents", "boolean", core.lowercase)
end

local function read_model(core, doc)
  expect_type(doc, "model", "WordPiece")
  core.continuing_subword_prefix =
    get(doc, "model.continuing_subword_prefix", "string", "##")
  core.max_input_chars_per_word =
    get_integer(doc, "model.max_input_chars_per_word", 0, 100)
end

local function read_decoder(settings, doc)
  if lookup(doc.root, "decoder") == nil then return end
  expect_type(doc, "decoder", "WordPiece")
  settings.decoder = {
    prefix = get(doc, "decoder.prefix", "string", "##"),
    cleanup = get(doc, "decoder.cleanup", "boolean", true),
  }
end

local function read_tokenizer_json(settings, dir, files)
  local core = settings.core
  local vocabulary, doc = read_json(dir, files)
  core.vocabulary = vocabulary
  read_model(core, doc)
  core.unk_id = require_id(settings, doc, "model.unk_token",
    get(doc, "model.unk_token", "string", "[UNK]"))
  for _, given in ipairs(get(doc, "added_tokens", "table", {})) do
    add_token(settings, doc, "added_tokens",
      parse_added(doc, "added_tokens", given))
  end
  read_normalizer(core, doc)
  expect_type(doc, "pre_tokenizer", "BertPreTokenizer")
  read_post_processor(settings, doc)
  read_decoder(settings, doc)
end

-- 6. vocab.txt and tokenizer_config.json

-- a special token's string: written plainly, or as an added token
local function special_name(config, map, name)
  for _, doc in ipairs { config, map } do
    local given = lookup(doc.root, name .. "_token")
    if type(given) == "table" then given = given.content end
    if type(given) == "string" then return given, doc end
  end
  return "[" .. name:upper() .. "]", config
end

local function by_number(a, b)
  return a.id < b.id
end

-- those of added_tokens_decoder, which transformers writes: {"100": {...}}
local function configured_tokens(config)
  local tokens = {}
  local field = "added_tokens_decoder"
  for id, given in pairs(get(config, field, "table", {})) do
    if not tonumber(id) then fail(config, field, "expected ids as names") end
    tokens[#tokens + 1] = parse_added(config, field, given, tonumber(id))
  end
  table.sort(tokens, by_number)
  return tokens
end

-- the five special tokens are added ones too, where the vocabulary has them
local function add_special_names(settings, config, map)
  local listed = {}
  for _, token in ipairs(settings.core.added) do
    listed[token.content] = true
  end
  for _, name in ipairs(SPECIAL_NAMES) do
    local content = special_name(config, map, name)
    local id = id_of(settings, content)
    if id and not listed[content] then
      add_token(settings, config, name .. "_token", {
        id = id, content = content, special = true, single_word = false,
        lstrip = false, rstrip = false, normalized = false,
      })
      listed[content] = true
    end
  end
end

local function read_vocab_txt(settings, path, text, config, map)
  local core = settings.core
  core.vocabulary = read_lines(path, text)
  core.continuing_subword_prefix = "##"
  core.max_input_chars_per_word = 100
  core.clean_text = true
  core.lowercase = get(config, "do_lower_case", "boolean", true)
  core.handle_chinese_chars =
    get(config, "tokenize_chinese_chars", "boolean", true)
  core.strip_accents = get(config, "strip_accents", "boolean", core.lowercase)
  for _, token in ipairs(configured_tokens(config)) do
    add_token(settings, config, "added_tokens_decoder", token)
  end
  add_special_names(settings, config, map)
  local at = {}
  for _, name in ipairs { "unk", "cls", "sep" } do
    at[name] = require_id(settings, { path = path }, name .. "_token",
      (special_name(config, map, name)))
  end
  core.unk_id = at.unk
  core.single = bert_template(at.cls, at.sep, false)
  core.pair = bert_template(at.cls, at.sep, true)
  settings.decoder = { prefix = "##", cleanup = true }
end

-- transformers writes 1e30 where it knows no limit
local function read_max_length(config)
  local given = get(config, "model_max_length", "number", LONGEST)
  if given < 1 or given ~= given then
    fail(config, "model_max_length", "expected a positive number, got %s",
      shown(given))
  end
  return math.floor(math.min(given, LONGEST))
end

--- The settings of a tokenizer.
-- @string dir the folder that the files are from, for messages
-- @tparam table files their bytes by name, as from `checkpoint.tokenizer_files`
-- @treturn table with
--
--  * `core`: what lunula.core.tokenizer takes
--  * `added_ids`: the ids of the tokens that the vocabulary lacks
--  * `special`: set of the ids that are not text
--  * `names`: the special tokens by what they are for (`cls`, `sep`, ...)
--  * `decoder`: `{ prefix =, cleanup = }`, or nil
--  * `max_length`: `model_max_length` of tokenizer_config.json, at most 512
-- @raise when a file is missing, broken or asks for what is not supported
-- @usage local settings = reader.read(dir, checkpoint.tokenizer_files(dir))
-- print(settings.core.vocabulary:count())
function reader.read(dir, files)
  local config = document(dir, files, "tokenizer_config.json")
  local map = document(dir, files, "special_tokens_map.json")
  local settings = {
    core = { added = {}, beyond = {} }, added_ids = {}, special = {},
    names = {},
  }
  if files["tokenizer.json"] then
    read_tokenizer_json(settings, dir, files)
  elseif files["vocab.txt"] then
    read_vocab_txt(settings, dir .. "/vocab.txt", files["vocab.txt"], config,
      map)
  else
    error(dir .. ": neither tokenizer.json nor vocab.txt there", 0)
  end
  for _, name in ipairs(SPECIAL_NAMES) do
    settings.names[name] = (special_name(config, map, name))
  end
  settings.max_length = read_max_length(config)
  return settings
end

return reader
