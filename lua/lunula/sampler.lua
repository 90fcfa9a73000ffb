--- Draws batches of row numbers, each row once an epoch.
-- The order depends on the seed and the epoch alone, so that a run which is
-- resumed in the middle of an epoch sees the rows that were left.
-- @module lunula.sampler

local check = require "lunula.check"
local core = require "lunula.core"
local options = require "lunula.options"

local sampler = {}

local MEGABATCH = 50   -- batches whose rows are sorted together,
local MEGABATCHES = 4  -- fewer where there would not be so many of them

local none = options.none
local ORDER = { shuffle = true, seed = 0, epoch = 1 }
local KNOWN = {
  shuffle = true, seed = 0, epoch = 1, batch_size = none, batch_tokens = none,
  lengths = none, group_by_length = false,
}

-- {======== order ========

--- Shuffles a list in place (Fisher & Yates).
-- @tparam table list
-- @tparam userdata rng as from `core.rng`
-- @treturn table the list
function sampler.shuffle(list, rng)
  for i = #list, 2, -1 do
    local j = rng:below(i) + 1
    list[i], list[j] = list[j], list[i]
  end
  return list
end

local shuffle = sampler.shuffle

-- The order of an epoch, and the random numbers that come next.
local function draw(n, o)
  local order, rng = {}, core.rng(o.seed, o.epoch)
  for i = 1, n do order[i] = i end
  return o.shuffle and shuffle(order, rng) or order, rng
end

--- The rows of one epoch in the order in which they are to be seen.
-- @int n number of rows, at least 1
-- @tparam[opt] table given
-- @bool[opt=true] given.shuffle in order when false
-- @int[opt=0] given.seed
-- @int[opt=1] given.epoch 1 is the first
-- @treturn {int,...} a permutation of 1..n
-- @raise when n is not a positive integer
-- @usage for _, row in ipairs(sampler.order(#data, { seed = 7 })) do ... end
function sampler.order(n, given)
  local o = options.check(given, ORDER, "sampler.order")
  check.integer(n, "sampler.order: n", { least = 1 })
  sampler.check(o, "sampler.order")
  return (draw(n, o))
end

-- }========

-- {======== checking ========

-- each option, how it is checked, and its range
local CHECKS = {
  { "batch_size", check.integer, { least = 1 } },
  { "batch_tokens", check.integer, { least = 2 } },
  { "seed", check.integer },
  { "epoch", check.integer, { least = 0, below = 2 ^ 32 } },
  { "shuffle", check.boolean },
  { "group_by_length", check.boolean },
}

--- Checks what is asked of batches.
-- @tparam table o options with the names of `sampler.batches`
-- @string what who asks, for the message
-- @raise when a number is out of range, or one option excludes another
function sampler.check(o, what)
  for _, c in ipairs(CHECKS) do
    local name, how, range = c[1], c[2], c[3]
    if o[name] ~= nil then how(o[name], what .. ": " .. name, range) end
  end
  if o.batch_size and o.batch_tokens then
    error(what .. ": give batch_size or batch_tokens, not both", 0)
  elseif o.group_by_length and not o.shuffle then
    error(what .. ": group_by_length shuffles: shuffle = false excludes it", 0)
  end
end

-- }========

-- {======== batches ========

--- Cuts an order of rows into batches; the last may be smaller.
-- @tparam {int,...} order row numbers
-- @tparam table o what `sampler.check` has checked
-- @int[opt] o.batch_size most rows of a batch; 32 without batch_tokens
-- @int[opt] o.batch_tokens the most tokens of a batch, but for a row that has
--   more, which is a batch of its own
-- @tparam[opt] {int,...} o.lengths tokens of each row, for batch_tokens
-- @treturn {{int,...},...}
-- @usage local list = sampler.cut(sampler.order(#data), { batch_size = 32 })
function sampler.cut(order, o)
  local list, rows, room = {}, nil, 0
  local most = o.batch_size or (o.batch_tokens and math.huge or 32)
  for _, row in ipairs(order) do
    local size = o.batch_tokens and o.lengths[row] or 0
    if not rows or size > room or #rows == most then
      rows, room = {}, o.batch_tokens or 0
      list[#list + 1] = rows
    end
    rows[#rows + 1], room = row, room - size
  end
  return list
end

local TOKENS_A_ROW = 32  -- most, on average, of a batch that is only read

--- How large batches are that are only read: of few tokens, so that reading
-- needs no more memory than learning did.
-- @int[opt=32] batch_size most rows of a batch
-- @treturn int that
-- @treturn int most tokens
-- @usage local rows, tokens = sampler.limits_to_read(32)  --> 32, 1024
function sampler.limits_to_read(batch_size)
  batch_size = batch_size or 32
  return batch_size, TOKENS_A_ROW * batch_size
end

--- Batches of rows that are only read (see `limits_to_read`).
-- @tparam {int,...} order row numbers
-- @int[opt=32] batch_size most rows of a batch
-- @tparam {int,...} lengths tokens of each row
-- @treturn {{int,...},...}
-- @usage local list = sampler.cut_to_read({ 1, 2, 3 }, 32, { 9, 4, 128 })
function sampler.cut_to_read(order, batch_size, lengths)
  local most, tokens = sampler.limits_to_read(batch_size)
  return sampler.cut(order, { batch_size = most, lengths = lengths,
    batch_tokens = tokens })
end

-- How many rows a batch has, on average where tokens are counted.
local function rows_a_batch(n, o)
  if not o.batch_tokens then return o.batch_size or 32 end
  local tokens = 0
  for _, length in ipairs(o.lengths) do tokens = tokens + length end
  return math.max(1, math.floor(o.batch_tokens * n / math.max(1, tokens)))
end

-- Sorts order[first .. last], the longest first; rows of one length stay in
-- their order. Numbers that hold both sort faster than a comparison.
local function sort_part(order, first, last, lengths)
  local keys, rows, span = {}, {}, last - first + 1
  for i = first, last do
    keys[#keys + 1] = (i - first) - lengths[order[i]] * span
    rows[#rows + 1] = order[i]
  end
  table.sort(keys)
  for i, key in ipairs(keys) do order[first + i - 1] = rows[key % span + 1] end
end

--- All rows, the longest first; those of one length in their order.
-- @tparam {int,...} lengths tokens of each row
-- @treturn {int,...} row numbers
-- @usage local order = sampler.by_length(tokens.lengths)
function sampler.by_length(lengths)
  local order = {}
  for i = 1, #lengths do order[i] = i end
  sort_part(order, 1, #order, lengths)
  return order
end

local function sort_parts(order, o)
  local size = rows_a_batch(#order, o)
  local batches = math.floor(#order / (size * MEGABATCHES))
  local span = size * math.max(1, math.min(batches, MEGABATCH))
  for first = 1, #order, span do
    sort_part(order, first, math.min(first + span - 1, #order), o.lengths)
  end
end

--- The rows of one epoch in batches.
-- With `group_by_length`, rows of like length share a batch, as with
-- transformers' option of this name: the shuffled order is sorted by length
-- within parts of 50 batches (fewer where there would not be four parts), and
-- the batches are then shuffled.
-- @int n number of rows, at least 1
-- @tparam[opt] table given
-- @int[opt=32] given.batch_size rows of a batch; the last may be smaller
-- @int[opt] given.batch_tokens instead: the most tokens of a batch, at least
--   2; a row that has more is a batch of its own
-- @tparam[opt] {int,...} given.lengths tokens of each row, for `batch_tokens`
--   and `group_by_length`
-- @bool[opt=false] given.group_by_length
-- @bool[opt=true] given.shuffle in order when false
-- @int[opt=0] given.seed
-- @int[opt=1] given.epoch 1 is the first
-- @treturn {{int,...},...} row numbers of each batch, every row once
-- @raise when a number is out of range, or one option excludes another
-- @usage local list = sampler.batches(#data, { batch_tokens = 2048,
--   lengths = lengths, seed = 1, epoch = epoch })
function sampler.batches(n, given)
  local o = options.check(given, KNOWN, "sampler.batches")
  check.integer(n, "sampler.batches: n", { least = 1 })
  sampler.check(o, "sampler.batches")
  local order, rng = draw(n, o)
  if not o.group_by_length then return sampler.cut(order, o) end
  sort_parts(order, o)
  return shuffle(sampler.cut(order, o), rng)
end

-- }========

--- The rows of several batches, one after the other.
-- @tparam {{int,...},...} list batches of row numbers
-- @treturn {int,...}
-- @usage local rows = sampler.rows { { 7, 3 }, { 1 } }  --> { 7, 3, 1 }
function sampler.rows(list)
  local all = {}
  for _, rows in ipairs(list) do
    for _, row in ipairs(rows) do all[#all + 1] = row end
  end
  return all
end

--- The values of some rows.
-- @tparam table values one for each row
-- @tparam {int,...} rows their numbers
-- @treturn table
-- @usage local classes = sampler.pick(all_classes, { 7, 3 })
function sampler.pick(values, rows)
  local picked = {}
  for i, row in ipairs(rows) do picked[i] = values[row] end
  return picked
end

return sampler
