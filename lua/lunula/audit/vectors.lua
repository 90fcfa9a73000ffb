--- Vectors of all rows of an audit, and the nearest of each: made once, for all
-- checks that ask.
-- @module lunula.audit.vectors

local core = require "lunula.core"
local embedder = require "lunula.embedder"
local no_grad = require("lunula.grad").no_grad
local tensor = require "lunula.tensor"

local vectors = {}

local TOGETHER = 2048  -- texts that are read between two looks at Ctrl-C
local BATCH = 128      -- texts of like length that are read at once
local CELLS = 4000000  -- similarities held at once
local NEAREST = 16     -- of each row at least: all checks are served by them

--- The text of a row; of a pair, both.
-- @tparam table row
-- @treturn string
function vectors.text_of(row)
  return row.text_pair and row.text .. " " .. row.text_pair or row.text
end

--- The folder or name of the encoder that reads the rows. That of a classifier
-- does not: it has learnt to tell labels apart, wrong ones too where these are
-- the rows that it has learnt from, and nothing else of a text is left in its
-- vectors.
-- @tparam table context of the audit
-- @tparam table options of the audit
-- @treturn ?string nil where none is given
function vectors.source(context, options)
  return options.encoder or not context.model and context.encoder_source or nil
end

--- Why there are no vectors.
-- @tparam table context
-- @tparam table options
-- @string what is not done: "finding label errors"
-- @treturn ?string nil where there are
function vectors.missing(context, options, what)
  if context.rows and vectors.source(context, options) then return nil end
  return what .. (context.model and " needs an encoder beside the classifier"
    or " needs an encoder")
end

local function texts_of(rows, first, last)
  local texts = {}
  for i = first, last do texts[#texts + 1] = vectors.text_of(rows[i]) end
  return texts
end

-- Where the processor multiplies bfloat16 that takes half the time, and cosines
-- are the same to four digits.
local function reader_of(source)
  local made = embedder(source, { normalize = true })
  if core.cpu() == "avx512bf16" then made.encoder:set_precision "bf16" end
  return made
end

local function read_all(context, options)
  local made = reader_of(vectors.source(context, options))
  local parts, n = {}, #context.rows
  for first = 1, n, TOGETHER do
    if core.system.interrupted() then error("interrupted", 0) end
    local last = math.min(first + TOGETHER - 1, n)
    parts[#parts + 1] = made:encode(texts_of(context.rows, first, last),
      { batch_size = BATCH })
    if context.on_progress then
      context.on_progress { check = "vectors", number = last, checks = n }
    end
  end
  return tensor.concat(parts, 1)
end

--- The vectors of all rows, of length 1.
-- @tparam table context with `rows`
-- @tparam table options
-- @treturn tensor float32 [rows, width]
function vectors.of(context, options)
  context.vectors = context.vectors or read_all(context, options)
  return context.vectors
end

-- Of some rows: the similarity and the index of each of the k nearest, without
-- themselves.
local function nearest_of(all, rows, k)
  local numbers = {}
  for i, row in ipairs(rows) do numbers[i] = row - 1 end
  local v, p = all:index(1, tensor.from(numbers, "int32"))
    :matmul(all:transpose(1, 2)):topk(math.min(k + 1, #all))
  local similarities, indices = v:totable(), p:totable()
  for i, row in ipairs(indices) do
    local at = #row
    for j, place in ipairs(row) do
      row[j] = place + 1
      if row[j] == rows[i] then at = j end
    end
    table.remove(row, at)
    table.remove(similarities[i], at)
  end
  return similarities, indices
end

--- Looks for the nearest of some rows, by cosine, the nearest first; as many
-- rows at once as the memory for it allows.
-- @tparam table context
-- @tparam table options
-- @tparam {int,...} rows their indices
-- @int k how many of each; all others where there are fewer
-- @func f called for each row with its index, the cosines of its nearest, and
--   these rows' indices
-- @raise "interrupted" after Ctrl-C, where the program catches it
function vectors.each_near(context, options, rows, k, f)
  local all = vectors.of(context, options)
  local block = math.max(1, math.floor(CELLS / #all))
  for first = 1, #rows, block do
    if core.system.interrupted() then error("interrupted", 0) end
    local some = {}
    for i = first, math.min(first + block - 1, #rows) do
      some[#some + 1] = rows[i]
    end
    local v, p = no_grad(nearest_of, all, some, k)
    for i, row in ipairs(some) do f(row, v[i], p[i]) end
  end
end

local function find_all(context, options, k)
  local kept, rows = { k = k, cosines = {}, indices = {} }, {}
  for i = 1, #vectors.of(context, options) do rows[i] = i end
  vectors.each_near(context, options, rows, k, function(i, cosines, indices)
    kept.cosines[i], kept.indices[i] = cosines, indices
  end)
  return kept
end

--- The nearest of all rows.
-- @tparam table context
-- @tparam table options
-- @int k how many of each, at least; all others where there are fewer
-- @treturn {{number,...},...} cosines of each row, the nearest first
-- @treturn {{int,...},...} the rows' indices
function vectors.all_near(context, options, k)
  if not context.nearest or context.nearest.k < k then
    context.nearest = find_all(context, options, math.max(k, NEAREST))
  end
  return context.nearest.cosines, context.nearest.indices
end

--- Why rows can't be compared with each other.
-- @tparam table context
-- @tparam table options: `most_compared`
-- @treturn ?string nil where they can
function vectors.hindrance(context, options)
  local why = vectors.missing(context, options,
    "comparing texts by what they mean")
  if why then return why end
  if #context.rows > options.most_compared then
    return ("%d rows, each of which would be compared with each; more than %d")
      :format(#context.rows, options.most_compared)
  end
end

return vectors
