--- BERT's tokenizer: texts to token ids and back.
-- The same ids, and the same offsets in bytes, as the Hugging Face
-- `tokenizers` library gives for the same files, for any text; invalid UTF-8
-- is read as U+FFFD. WordPiece after Devlin et al. 2019
-- (https://arxiv.org/abs/1810.04805).
--
-- A tokenizer has these fields: `vocabulary_size`, `max_length` (what encode
-- cuts at unless told), and `cls_id`, `sep_id`, `pad_id`, `unk_id`, `mask_id`,
-- each nil where the vocabulary has no such token. Ids count from 0.
-- @module lunula.tokenizer

local check = require "lunula.check"
local checkpoint = require "lunula.checkpoint"
local core = require "lunula.core"
local options = require "lunula.options"
local reader = require "lunula.tokenizer.reader"

local tokenizer = {}

local Tokenizer = {}
Tokenizer.__index = Tokenizer

--- The tokenizer of a Hugging Face folder.
-- Reads `tokenizer.json` (a WordPiece model with BERT's normalizer, splitting
-- and special tokens; its truncation and padding are ignored), or `vocab.txt`
-- with `tokenizer_config.json`.
-- @string dir
-- @treturn Tokenizer
-- @raise when a file is missing, broken or asks for what is not supported;
-- the message names file and field
-- @usage local dir = lunula.hub.resolve "all-MiniLM-L6-v2"
-- local tokenizer = lunula.tokenizer.load(dir)
-- print(tokenizer:encode("A quiet, lovely film.").ids)
function tokenizer.load(dir)
  check.path(dir, "tokenizer.load")
  return tokenizer.from { dir = dir, files = checkpoint.tokenizer_files(dir) }
end

--- A tokenizer from what `checkpoint.read` gave.
-- @tparam table saved `{ dir = string, files = bytes by name }`
-- @treturn Tokenizer
-- @raise as `load`
function tokenizer.from(saved)
  check.table(saved, "tokenizer.from")
  local settings = reader.read(saved.dir, saved.files)
  local ok, made = pcall(core.tokenizer, settings.core)
  if not ok then error(saved.dir .. ": " .. made, 0) end
  local self = {
    core = made,
    special = settings.special,
    decoder = settings.decoder,
    prefix = settings.core.continuing_subword_prefix,
    files = saved.files,
    vocabulary_size = made:count(),
    max_length = settings.max_length,
  }
  for name, token in pairs(settings.names) do
    self[name .. "_id"] = made:id(token)
  end
  return setmetatable(self, Tokenizer)
end

local function check_max_length(given)
  if given == false then return 0 end
  return check.integer(given, "encode: max_length (false: no limit)",
    { least = 1, most = 2 ^ 31 - 1 })
end

local function check_texts(given, what)
  if type(given) == "string" then return { given } end
  if type(given) ~= "table" then
    error(("encode: %s: expected a string or an array of strings, got %s")
      :format(what, type(given)), 0)
  end
  return given
end

local TRUNCATIONS = { head = true, tail = true, head_tail = true,
  windows = true }

--- What of a long text is read, as the options of `encode` say.
-- @tparam table o `truncation`, `stride`: as for `encode`
-- @string what who asks, for the message
-- @raise when one of them is out of range, or there is a stride without windows
function tokenizer.check_truncation(o, what)
  check.choice(o.truncation, what .. ": truncation", TRUNCATIONS)
  if o.stride == nil then return end
  check.integer(o.stride, what .. ": stride", { least = 0, most = 2 ^ 31 - 1 })
  if o.truncation ~= "windows" then
    error(what .. ": stride: only for truncation = 'windows'", 0)
  end
end

--- Token ids of one text or several, as a ragged batch: no padding.
-- What of a text is over `max_length` is cut, as `truncation` says:
--
--  * `"head"`: the first tokens stay. No more of a text is read than that
--    takes, however long it is (of a pair, what tells which text is longer;
--    with added tokens that are normalised and hold blanks, all of it).
--  * `"tail"`: the last ones.
--  * `"head_tail"`: the first quarter of them (rounded) and the rest from the
--    end, after Sun et al. 2019 (https://arxiv.org/abs/1905.05583): 128 and
--    382 of 510.
--  * `"windows"`: all stay, in as many sequences as it takes; each begins
--    `stride` tokens before the end of the one before, as with transformers'
--    `return_overflowing_tokens`. `text_of` says whose they are; what comes of
--    the windows of a text is the caller's to pool (see `lunula.windows`).
--
-- Of a text and its pair, the longer one loses first (transformers'
-- "longest_first"), and each is cut to its share in that mode. With windows,
-- the longer one is what is cut into them, and the other is whole in each, or
-- the first half of all the room where both are longer than that.
-- @tparam string|{string,...} texts any bytes, each below 2 GiB
-- @tparam[opt] table given options
-- @tparam[opt] string|{string,...} given.text_pairs a second text for each
-- @tparam[opt] int|false given.max_length most tokens of a sequence, special
-- ones included. Default: the tokenizer's `max_length`; false: no limit
-- @string[opt="head"] given.truncation `"head"`, `"tail"`, `"head_tail"` or
-- `"windows"`
-- @int[opt] given.stride of windows: how many tokens of text two have in
-- common, fewer than one has; in a pair, fewer where one has no more. Default:
-- half of them
-- @bool[opt=false] given.count_truncated read every text to its end, and count
-- the tokens that were cut
-- @bool[opt=true] given.add_special_tokens [CLS] and [SEP] around the texts
-- @bool[opt=false] given.spans the bytes of each token too
-- @treturn table
--
--  * `ids`: int32 tensor [tokens], from 0
--  * `types`: int32 tensor [tokens], 0, and 1 in a second text
--  * `offsets`: int32 tensor [sequences + 1], where each sequence begins in
--    ids, from 0, and where the last one ends
--  * `text_of`: int32 tensor [sequences], the text of each, from 0
--  * `cut`: int32 tensor [texts], how many bytes of each (and its pair) were
--    cut: 0 where the whole text is there
--  * `spans`: int32 tensor [tokens, 2] when asked: the first byte of a token
--    in its text, from 0, and the one behind its last; 0, 0 for a special
--    token that was added
--  * `truncated`: how many tokens were cut from all the texts, when asked to
--    count them
-- @raise when an argument is of the wrong type, or max_length has no room for
-- the special tokens
-- @usage local batch = tokenizer:encode({ "a film", "a long film" })
-- print(batch.ids, batch.offsets)
function Tokenizer:encode(texts, given)
  local o = options.check(given, {
    text_pairs = options.none, max_length = self.max_length,
    truncation = "head", stride = options.none, count_truncated = false,
    add_special_tokens = true, spans = false,
  }, "encode")
  tokenizer.check_truncation(o, "encode")
  local pairs_of = o.text_pairs ~= nil
    and check_texts(o.text_pairs, "text_pairs") or nil
  local ok, batch = pcall(self.core.encode, self.core,
    check_texts(texts, "texts"), pairs_of, {
      max_length = check_max_length(o.max_length),
      truncation = o.truncation, stride = o.stride or -1,
      count = not not o.count_truncated, spans = not not o.spans,
      add_special_tokens = not not o.add_special_tokens,
    })
  if not ok then error("encode: " .. tostring(batch), 0) end
  return batch
end

-- what the library's WordPiece decoder tidies, in its order
local TIDY = {
  { " .", "." }, { " ?", "?" }, { " !", "!" }, { " ,", "," }, { " ' ", "'" },
  { " n't", "n't" }, { " 'm", "'m" }, { " do not", " don't" },
  { " 's", "'s" }, { " 've", "'ve" }, { " 're", "'re" },
}

local function replace(text, from, to)
  local pattern = from:gsub("%p", "%%%0")
  return (text:gsub(pattern, to))
end

local function decode_token(token, first, decoder)
  if not decoder then return first and token or " " .. token end
  local prefix = decoder.prefix
  if not first then
    local continues = token:sub(1, #prefix) == prefix
    token = continues and token:sub(#prefix + 1) or " " .. token
  end
  if not decoder.cleanup then return token end
  for _, pair in ipairs(TIDY) do token = replace(token, pair[1], pair[2]) end
  return token
end

--- The text that ids stand for: pieces joined, words apart.
-- What normalisation removed is gone. An id that no token has is left out.
-- @tparam {int,...}|Tensor ids
-- @tparam[opt] table given options
-- @bool[opt=true] given.skip_special_tokens
-- @treturn string
-- @usage print(tokenizer:decode(tokenizer:encode("Lovely!").ids))
function Tokenizer:decode(ids, given)
  local o = options.check(given, { skip_special_tokens = true }, "decode")
  if type(ids) == "userdata" then ids = ids:totable() end
  local parts = {}
  for _, id in ipairs(ids) do
    local token = self.core:decoded(id)
    if token and not (o.skip_special_tokens and self.special[id]) then
      parts[#parts + 1] = decode_token(token, #parts == 0, self.decoder)
    end
  end
  return table.concat(parts)
end

--- The token of an id.
-- @int id from 0
-- @treturn ?string nil when no token has it
-- @usage tokenizer:token(101)  --> [CLS]
function Tokenizer:token(id)
  return self.core:token(id)
end

--- The id of a token.
-- @string token "film", "##ing", "[CLS]"
-- @treturn ?int nil when it is not in the vocabulary
-- @usage tokenizer:id "[CLS]"  --> 101
function Tokenizer:id(token)
  return self.core:id(token)
end

--- Does a token go on with the word of the one before it?
-- @int id from 0
-- @treturn bool
-- @usage tokenizer:continues(tokenizer:id "##ing")  --> true
function Tokenizer:continues(id)
  local token = self.core:token(id)
  return token ~= nil and self.prefix ~= ""
    and token:sub(1, #self.prefix) == self.prefix
end

--- Writes the tokenizer's files into a folder, each whole or not at all.
-- They are the bytes that were loaded, so that `transformers` reads what it
-- wrote.
-- @string dir made when it is not there
-- @raise when a file can't be written; it is then as it was
-- @usage tokenizer:save "my-model"
function Tokenizer:save(dir)
  checkpoint.make_folders(check.path(dir, "save"))
  for name, bytes in pairs(self.files) do
    core.io.write(dir .. "/" .. name, { bytes })
  end
end

function Tokenizer:__tostring()
  return ("tokenizer (%d tokens)"):format(self.vocabulary_size)
end

return tokenizer
