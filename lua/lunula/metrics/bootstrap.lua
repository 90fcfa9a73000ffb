--- Intervals of confidence by the bootstrap: how far a mean over test rows
-- would move if others of their kind had been drawn.
-- Efron 1979; of the difference of two systems on the same rows (paired):
-- Berg-Kirkpatrick, Burkett & Klein 2012. The percentile method.
-- @module lunula.metrics.bootstrap

local check = require "lunula.check"
local core = require "lunula.core"
local options = require "lunula.options"

local bootstrap = {}

local KNOWN = { resamples = 2000, confidence = 0.95, seed = 0 }

-- between two neighbours in proportion, as NumPy's default
local function quantile(sorted, share)
  local at = share * (#sorted - 1) + 1
  local low = math.floor(at)
  local above = sorted[math.min(low + 1, #sorted)]
  return sorted[low] + (at - low) * (above - sorted[low])
end

local function check_values(values, what)
  check.table(values, what)
  if #values == 0 then error(what .. ": no values", 0) end
  for i, value in ipairs(values) do
    check.number(value, ("%s: %d"):format(what, i))
  end
end

--- A statistic of rows, and its interval.
-- @int n rows
-- @func statistic from an array of row numbers, some of them several times, to
--   a number
-- @tparam[opt] table given
-- @int[opt=2000] given.resamples
-- @number[opt=0.95] given.confidence above 0 and below 1
-- @int[opt=0] given.seed
-- @treturn table `mean`, what the rows themselves give; `low`, `high`
-- @raise when there are no rows, or the statistic is no finite number
-- @usage local found = bootstrap.of(#rows, function(numbers)
--   return f1_of(numbers) end)
function bootstrap.of(n, statistic, given)
  local o = options.check(given, KNOWN, "bootstrap")
  check.integer(n, "bootstrap: rows", { least = 1 })
  check.func(statistic, "bootstrap: statistic")
  check.integer(o.resamples, "bootstrap: resamples", { least = 1 })
  check.number(o.confidence, "bootstrap: confidence", { above = 0, below = 1 })
  check.integer(o.seed, "bootstrap: seed")
  local rng, numbers, found = core.rng(o.seed), {}, {}
  for i = 1, n do numbers[i] = i end
  local function value()
    return check.number(statistic(numbers), "bootstrap: statistic")
  end
  local whole = value()
  for i = 1, o.resamples do
    for j = 1, n do numbers[j] = rng:below(n) + 1 end
    found[i] = value()
  end
  table.sort(found)
  local tail = (1 - o.confidence) / 2
  return { mean = whole, low = quantile(found, tail),
    high = quantile(found, 1 - tail) }
end

--- The mean of values, such as 1 for each row that was right and 0 for each
-- that was not, and its interval.
-- @tparam {number,...} values at least one
-- @tparam[opt] table given as for `of`
-- @treturn table `mean`, `low`, `high`
-- @raise when a value is no finite number, or there is none
-- @usage local found = bootstrap.mean(right)
-- print(found.mean, found.low, found.high)
function bootstrap.mean(values, given)
  check_values(values, "bootstrap: values")
  return bootstrap.of(#values, function(numbers)
    local sum = 0
    for _, i in ipairs(numbers) do sum = sum + values[i] end
    return sum / #numbers
  end, given)
end

--- The difference of two systems' means on the same rows, and its interval:
-- they differ where it leaves out 0.
-- @tparam {number,...} a one value for each row
-- @tparam {number,...} b likewise, in the same order
-- @tparam[opt] table given as for `of`
-- @treturn table `mean` of a less that of b, `low`, `high`
-- @raise as `mean`; when there are not as many of both
-- @usage local gain = bootstrap.difference(right, right_before)
function bootstrap.difference(a, b, given)
  check_values(a, "bootstrap: a")
  check_values(b, "bootstrap: b")
  if #a ~= #b then
    error(("bootstrap: %d values and %d: expected the same rows"):format(#a,
      #b), 0)
  end
  local differences = {}
  for i, value in ipairs(a) do differences[i] = value - b[i] end
  return bootstrap.mean(differences, given)
end

return bootstrap
