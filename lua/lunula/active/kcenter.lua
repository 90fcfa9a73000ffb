--- The greedy k-center: vectors such that every other is near one of them.
-- Sener & Savarese 2018, "Active Learning for Convolutional Neural Networks: A
-- Core-Set Approach", algorithm 1: each centre is the vector furthest from all
-- centres before it. Of distances only the squares are compared.
-- @module lunula.active.kcenter

local no_grad = require("lunula.grad").no_grad
local tensor = require "lunula.tensor"

local kcenter = {}

local TOGETHER = 64  -- centres: a distance to each is held for each vector

local function squares(vectors)
  return (vectors * vectors):sum(2)
end

local function smaller(a, b)
  return a - (a - b):relu()
end

-- The squared distance of each vector [n, width] to the nearest of some
-- centres [k, width]: [n].
local function nearest(vectors, lengths, centres)
  local closeness = vectors:matmul(centres:transpose(1, 2)) * 2
    - squares(centres)
  return lengths - (closeness:max(2))
end

local function nearest_of_many(vectors, lengths, centres)
  local best
  for first = 1, #centres, TOGETHER do
    local some = nearest(vectors, lengths,
      centres:slice(1, first, first + TOGETHER - 1))
    best = best and smaller(best, some) or some
  end
  return best
end

local function furthest(distances)
  local _, where = distances:max(1)
  return where:item()
end

-- Without a centre the first is that nearest to the mean of all.
local function first_of(vectors, lengths)
  return furthest(-nearest(vectors, lengths, vectors:mean(1, true)))
end

local function choose(vectors, centres, count)
  local lengths, chosen = squares(vectors), {}
  local distances = centres and nearest_of_many(vectors, lengths, centres)
  for i = 1, count do
    chosen[i] = distances and furthest(distances) or first_of(vectors, lengths)
    local centre = vectors:slice(1, chosen[i] + 1, chosen[i] + 1)
    local some = nearest(vectors, lengths, centre)
    distances = distances and smaller(distances, some) or some
    distances:slice(1, chosen[i] + 1, chosen[i] + 1)
      :copy(tensor.full({ 1 }, -math.huge))
  end
  return chosen
end

--- Chooses centres.
-- @tparam tensor vectors float32 [n, width]
-- @tparam ?tensor centres float32 [k, width], those there are already
-- @int count at most n
-- @treturn {int,...} positions among the vectors, from 0, in the order chosen
-- @usage local positions = kcenter.choose(vectors, nil, 16)
function kcenter.choose(vectors, centres, count)
  return no_grad(choose, vectors, centres, count)
end

return kcenter
