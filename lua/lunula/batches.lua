--- Rows in batches, for a training loop of one's own.
-- @module lunula.batches

local check = require "lunula.check"
local labels = require "lunula.labels"
local options = require "lunula.options"
local sampler = require "lunula.sampler"
local tensor = require "lunula.tensor"

local none = options.none
local KNOWN = {
  batch_size = none, batch_tokens = none, lengths = none,
  group_by_length = false, shuffle = true, seed = 0, epoch = 1, labels = none,
}

local function check_lengths(o, rows)
  if not (o.lengths or o.batch_tokens or o.group_by_length) then return end
  if type(o.lengths) ~= "table" or #o.lengths ~= #rows then
    error(("batches: lengths: expected the tokens of each of %d rows, got %s")
      :format(#rows, type(o.lengths) == "table" and #o.lengths .. " numbers"
      or type(o.lengths)), 0)
  end
  for i, length in ipairs(o.lengths) do
    check.integer(length, ("batches: lengths: row %d"):format(i),
      { least = 0 })
  end
end

local function fields_of(rows, numbers, field)
  local values = {}
  for i, number in ipairs(numbers) do values[i] = rows[number][field] end
  return values
end

local function batch_of(rows, classes, numbers)
  return {
    texts = fields_of(rows, numbers, "text"),
    text_pairs = rows[1].text_pair and fields_of(rows, numbers, "text_pair"),
    labels = tensor.from(sampler.pick(classes, numbers), "int32"),
    rows = numbers,
  }
end

--- One epoch of rows in batches.
-- @function batches
-- @tparam {table,...} rows as from `data.read`
-- @tparam[opt] table given
-- @int[opt=32] given.batch_size rows of a batch; the last may be smaller
-- @int[opt] given.batch_tokens instead: the most tokens of a batch, at least
--   2; a row that has more is a batch of its own
-- @bool[opt=false] given.group_by_length rows of like length share a batch
--   (see `sampler.batches`)
-- @tparam[opt] {int,...} given.lengths tokens of each row: needed for
--   `batch_tokens` and `group_by_length`
-- @bool[opt=true] given.shuffle
-- @int[opt=0] given.seed of the order
-- @int[opt=1] given.epoch each has an order of its own
-- @tparam[opt] {string,...} given.labels in the order of the classes; those
--   of the rows, sorted, when not given
-- @treturn function an iterator over `{ texts=, text_pairs=, labels=, rows= }`:
--   strings, classes [batch] int32 from 0, and row numbers; no `text_pairs`
--   when the rows have none
-- @raise when there are no rows, or a label is not among those given; on
--   options out of range, or of which one excludes another
-- @usage for batch in lunula.batches(rows, { seed = 1, epoch = epoch }) do
--   local tokens = tokenizer:encode(batch.texts)
-- end
return function(rows, given)
  local o = options.check(given, KNOWN, "batches")
  labels.check_rows(rows, "batches")
  sampler.check(o, "batches")
  check_lengths(o, rows)
  local list = o.labels or labels.of(rows)
  local classes = labels.classes(rows, list, "batches")
  o.labels = nil  -- the other options are the sampler's
  local cut, i = sampler.batches(#rows, o), 0
  return function()
    i = i + 1
    return cut[i] and batch_of(rows, classes, cut[i])
  end
end
