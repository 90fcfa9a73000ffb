--- Vectors of all rows of an audit, and the nearest of each: made once, for all
-- checks that ask.
-- @module lunula.audit.vectors

local core = require "lunula.core"
local embedder = require "lunula.embedder"
local no_grad = require("lunula.grad").no_grad

local vectors = {}

local CELLS = 4000000  -- similarities held at once

--- The text of a row; of a pair, both.
-- @tparam table row
-- @treturn string
function vectors.text_of(row)
  return row.text_pair and row.text .. " " .. row.text_pair or row.text
end

--- The folder whose encoder reads the rows.
-- @tparam table context of the audit
-- @treturn ?string nil where none is given
function vectors.source(context)
  return context.encoder_source or context.model and context.model.base
end

--- The vectors of all rows, of length 1.
-- @tparam table context with `rows` and a model
-- @treturn tensor float32 [rows, width]
function vectors.of(context)
  if not context.vectors then
    local texts = {}
    for i, row in ipairs(context.rows) do texts[i] = vectors.text_of(row) end
    context.vectors = embedder(vectors.source(context), { normalize = true })
      :encode(texts)
  end
  return context.vectors
end

-- Of rows from `first` on: the similarity and the index of each of the k
-- nearest, without themselves.
local function nearest_of(all, first, last, k)
  local v, p = all:slice(1, first, last):matmul(all:transpose(1, 2))
    :topk(math.min(k + 1, #all))
  local similarities, indices = v:totable(), p:totable()
  for i, row in ipairs(indices) do
    local at = #row
    for j, place in ipairs(row) do
      row[j] = place + 1
      if row[j] == first + i - 1 then at = j end
    end
    table.remove(row, at)
    table.remove(similarities[i], at)
  end
  return similarities, indices
end

--- The nearest rows of one, by cosine, the nearest first.
-- @tparam table context
-- @int index of the row
-- @int k how many; all others where there are fewer
-- @treturn {number,...} cosines
-- @treturn {int,...} the rows' indices
function vectors.near(context, index, k)
  local v, p = no_grad(nearest_of, vectors.of(context), index, index, k)
  return v[1], p[1]
end

local function find_all(context, k)
  local all, kept = vectors.of(context), { k = k, cosines = {}, indices = {} }
  local n = #all
  local block = math.max(1, math.floor(CELLS / n))
  for first = 1, n, block do
    if core.system.interrupted() then error("interrupted", 0) end
    local v, p = no_grad(nearest_of, all, first,
      math.min(first + block - 1, n), k)
    for i = 1, #v do
      kept.cosines[first + i - 1], kept.indices[first + i - 1] = v[i], p[i]
    end
  end
  return kept
end

--- The nearest of all rows.
-- @tparam table context
-- @int k how many of each, at least; all others where there are fewer
-- @treturn {{number,...},...} cosines of each row, the nearest first
-- @treturn {{int,...},...} the rows' indices
function vectors.all_near(context, k)
  if not context.nearest or context.nearest.k < k then
    context.nearest = find_all(context, k)
  end
  return context.nearest.cosines, context.nearest.indices
end

--- Why rows can't be compared with each other.
-- @tparam table context
-- @int most rows that are compared
-- @treturn ?string nil where they can
function vectors.hindrance(context, most)
  if not vectors.source(context) or not context.rows then
    return "comparing texts by what they mean needs a model"
  elseif #context.rows > most then
    return ("%d rows, each of which would be compared with each; more than %d")
      :format(#context.rows, most)
  end
end

return vectors
