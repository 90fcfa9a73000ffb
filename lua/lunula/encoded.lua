--- Rows tokenized once, from which ragged batches are put together.
-- Kept as the tokenizer gives them: two int32 for each token, and a position
-- for each row.
-- @module lunula.encoded

local core = require "lunula.core"
local labels = require "lunula.labels"
local sampler = require "lunula.sampler"
local tensor = require "lunula.tensor"

local encoded = {}

local Encoded = {}
Encoded.__index = Encoded

local function column(rows, field, what)
  local values = {}
  for i, row in ipairs(rows) do
    values[i] = row[field]
    if type(values[i]) ~= "string" then
      error(("%s: %s: expected a string, got %s")
        :format(labels.place(rows, i, what), field, type(values[i])), 0)
    end
  end
  return values
end

local function have(rows, field)
  for _, row in ipairs(rows) do
    if row[field] ~= nil then return true end
  end
  return false
end

local function lengths_of(offsets)
  local ends, lengths = offsets:totable(), {}
  for i = 2, #ends do lengths[i - 1] = ends[i] - ends[i - 1] end
  return lengths
end

--- Tokenizes rows.
-- @tparam tokenizer tokenizer
-- @tparam {table,...} rows with `text`, and all or none with `text_pair`
-- @int max_length most tokens of a row
-- @string what who asks, for the message
-- @tparam[opt] table given `truncation`, `stride` and `count_truncated`, as
--   for `tokenizer:encode`
-- @treturn Encoded with the method below; `lengths`, the tokens of each row;
--   `text_of` and `cut`, and `truncated` when it was asked for, as from
--   `tokenizer:encode`. Where rows are cut into windows, these are the rows of
--   everything but `cut`, and `text_of` says whose they are
-- @raise when a row has no text, or only some have a pair
function encoded.new(tokenizer, rows, max_length, what, given)
  local pairs_too, o = have(rows, "text_pair"), given or {}
  local tokens = tokenizer:encode(column(rows, "text", what), {
    max_length = max_length,
    text_pairs = pairs_too and column(rows, "text_pair", what) or nil,
    truncation = o.truncation, stride = o.stride,
    count_truncated = o.count_truncated,
  })
  return setmetatable({
    ids = tokens.ids,
    types = tokens.types,
    offsets = tokens.offsets,
    lengths = lengths_of(tokens.offsets),
    text_of = tokens.text_of,
    cut = tokens.cut,
    truncated = tokens.truncated,
  }, Encoded)
end

--- Rows as a ragged batch, as `encoder:forward` takes it.
-- @tparam {int,...} rows their numbers, in the order wanted
-- @treturn table `ids` and `types` [tokens], `offsets` [rows + 1]
-- @treturn int its tokens
function Encoded:batch(rows)
  local numbers = {}
  for i, row in ipairs(rows) do numbers[i] = row - 1 end
  local ids, types, offsets = core.gather(self.ids, self.types, self.offsets,
    tensor.from(numbers, "int32"))
  return { ids = ids, types = types, offsets = offsets }, #ids
end

--- What a function makes of all rows, read in batches of like length.
-- @func f from a batch, as `batch` gives it, to a float32 tensor [rows, width]
-- @int width
-- @int[opt=32] batch_size most rows of a batch (see `sampler.cut_to_read`)
-- @treturn tensor float32 [rows, width], in the order of the rows
-- @usage local vectors = tokens:map(function(batch)
--   return encoder:pooled(batch, "mean")
-- end, encoder.hidden_size)
function Encoded:map(f, width, batch_size)
  local all = tensor.zeros { #self.lengths, width }
  for _, numbers in ipairs(sampler.cut_to_read(
      sampler.by_length(self.lengths), batch_size, self.lengths)) do
    local values = f((self:batch(numbers)))
    for i, row in ipairs(numbers) do
      all:slice(1, row, row):copy(values:slice(1, i, i))
    end
  end
  return all
end

return encoded
