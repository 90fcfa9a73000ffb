--- McNemar's test: whether two systems that answered the same rows differ in
-- how often they are right (McNemar 1947; Dietterich 1998, "Approximate
-- statistical tests for comparing supervised classification learning
-- algorithms").
-- Only rows tell that one of them got right and the other wrong. If neither
-- were better, each such row would be either's by the toss of a coin: the test
-- is the exact, two-sided binomial one, not its chi-square approximation.
-- @module lunula.metrics.mcnemar

local check = require "lunula.check"

local LEAST = 1e-18  -- of a sum: a smaller term changes none of its digits

-- The sum over i = 0 .. k of C(n, i), as a multiple of C(n, k): terms fall from
-- i = k down, where k is at most n / 2.
local function share_of_tail(k, n)
  local sum, term = 1, 1
  for i = k, 1, -1 do
    term = term * i / (n - i + 1)
    sum = sum + term
    if term < LEAST * sum then break end
  end
  return sum
end

-- C(n, k) / 2^n: factors that make it larger and those that make it smaller,
-- taken in turn, so that what is between is neither too large nor too small;
-- where even the result is too small for a double, it is 0.
local function probability(k, n)
  local p, halvings = 1, n
  for i = 1, k do
    p = p * ((n - k + i) / i)
    while p > 1 and halvings > 0 do
      p, halvings = p / 2, halvings - 1
    end
  end
  return p * 2 ^ -halvings
end

--- Tests two systems.
-- @function mcnemar
-- @int only_a rows that only the one got right
-- @int only_b rows that only the other got right
-- @treturn number the p-value: how likely so uneven a split is, or one more
--   so, where neither system is better; 1 where there are no such rows
-- @raise when a count is no integer of at least 0
-- @usage mcnemar(3, 15)  --> 0.0075378
return function(only_a, only_b)
  local range = { least = 0, most = 2 ^ 40 }
  check.integer(only_a, "mcnemar: only_a", range)
  check.integer(only_b, "mcnemar: only_b", range)
  local k, n = math.min(only_a, only_b), only_a + only_b
  if 2 * k == n then return 1 end
  return math.min(1, 2 * probability(k, n) * share_of_tail(k, n))
end
