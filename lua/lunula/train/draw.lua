--- Random numbers for techniques. Each has a stream of its own in each step,
-- so that one may be switched on without another drawing otherwise, and a run
-- that is resumed draws what it would have drawn.
-- @module lunula.train.draw

local core = require "lunula.core"

local draw = {}

-- streams that neither order, dropout nor first weights use
local PURPOSES = {
  mixup = 2 ^ 32 - 2, augment = 2 ^ 32 - 3, adversarial = 2 ^ 32 - 4,
  mixout = 2 ^ 32 - 5,
}

--- The seed of a technique's step.
-- @int seed the training's
-- @string name of the technique
-- @int step
-- @treturn int
function draw.seed(seed, name, step)
  local own = core.rng(seed, PURPOSES[name]):below(2 ^ 53)
  return core.rng(own, step % 2 ^ 32):below(2 ^ 53)
end

-- above 0, at most 1: has a logarithm
local function uniform(rng)
  return 1 - rng:float()
end

--- A normally distributed number (Box & Muller 1958).
-- @tparam rng rng
-- @treturn number
function draw.normal(rng)
  local radius = math.sqrt(-2 * math.log(uniform(rng)))
  return radius * math.cos(2 * math.pi * rng:float())
end

-- The logarithm of a number of the gamma distribution, for a shape of at least
-- 1 (Marsaglia & Tsang 2000, "A Simple Method for Generating Gamma Variables").
local function log_gamma(rng, shape)
  local d = shape - 1 / 3
  local c = 1 / math.sqrt(9 * d)
  while true do
    local x = draw.normal(rng)
    local v = (1 + c * x) ^ 3
    local u = uniform(rng)
    if v > 0 and math.log(u) < x * x / 2 + d - d * v + d * math.log(v) then
      return math.log(d * v)
    end
  end
end

-- of any shape above 0: below 1, that of shape + 1 times u^(1 / shape)
local function log_gamma_of_any(rng, shape)
  if shape >= 1 then return log_gamma(rng, shape) end
  return log_gamma(rng, shape + 1) + math.log(uniform(rng)) / shape
end

--- A number of the beta distribution, x / (x + y) of two gammas. Their
-- logarithms can't vanish both, as they themselves would for a small shape.
-- @tparam rng rng
-- @number a above 0
-- @number b above 0
-- @treturn number 0 .. 1
function draw.beta(rng, a, b)
  local x, y = log_gamma_of_any(rng, a), log_gamma_of_any(rng, b)
  return 1 / (1 + math.exp(y - x))
end

--- A random order.
-- @tparam rng rng
-- @int n
-- @treturn {int,...} a permutation of 1 .. n
function draw.order(rng, n)
  local order = {}
  for i = 1, n do
    local j = rng:below(i) + 1
    order[i] = order[j]
    order[j] = i
  end
  return order
end

return draw
