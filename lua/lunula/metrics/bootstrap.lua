--- Intervals of confidence by the bootstrap: how far a score of test rows would
-- move if others of their kind had been drawn.
-- Efron 1979; the percentile method. Of the difference of two systems on the
-- same rows (paired): Berg-Kirkpatrick, Burkett & Klein 2012, "An empirical
-- investigation of statistical significance in NLP"; Dror et al. 2018, "The
-- hitchhiker's guide to testing statistical significance in NLP".
--
-- A score often depends on nothing but how many rows are of which kind: how
-- many are right, or how often a label was taken for another. Such kinds are
-- *cells*: rows are drawn and counted in C, and only the counts come to Lua
-- (@{cells}). Same seed, same rows drawn, whichever function draws them.
-- @module lunula.metrics.bootstrap

local check = require "lunula.check"
local core = require "lunula.core"
local options = require "lunula.options"
local tensor = require "lunula.tensor"

local bootstrap = {}

local KNOWN = { resamples = 2000, confidence = 0.95, seed = 0 }

-- what rounding may make of a sum of some thousand values, as a share of it
local ROUNDING = 1e-9

local function check_options(given)
  local o = options.check(given, KNOWN, "bootstrap")
  check.integer(o.resamples, "bootstrap: resamples", { least = 1 })
  check.number(o.confidence, "bootstrap: confidence", { above = 0, below = 1 })
  check.integer(o.seed, "bootstrap: seed")
  return o
end

local function check_values(values, what)
  check.table(values, what)
  if #values == 0 then error(what .. ": no values", 0) end
  for i, value in ipairs(values) do
    check.number(value, ("%s: %d"):format(what, i))
  end
end

local function check_statistic(value)
  return check.number(value, "bootstrap: statistic")
end

-- {======== intervals ========

-- between two neighbours in proportion, as NumPy's default
local function quantile(sorted, share)
  local at = share * (#sorted - 1) + 1
  local low = math.floor(at)
  local above = sorted[math.min(low + 1, #sorted)]
  return sorted[low] + (at - low) * (above - sorted[low])
end

--- The percentile interval of a statistic's values on resampled rows.
-- @tparam {number,...} values at least one
-- @number[opt=0.95] confidence above 0 and below 1
-- @treturn number its low end
-- @treturn number its high end
-- @raise when a value is no finite number, or there is none
-- @usage local low, high = bootstrap.interval(found)
function bootstrap.interval(values, confidence)
  check_values(values, "bootstrap: values")
  local o = check_options { confidence = confidence }
  local sorted = {}
  for i, value in ipairs(values) do sorted[i] = value end
  table.sort(sorted)
  local tail = (1 - o.confidence) / 2
  return quantile(sorted, tail), quantile(sorted, 1 - tail)
end

-- }========

-- {======== resampling ========

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
  local o = check_options(given)
  check.integer(n, "bootstrap: rows", { least = 1 })
  check.func(statistic, "bootstrap: statistic")
  local rng, numbers, found = core.rng(o.seed), {}, {}
  for i = 1, n do numbers[i] = i end
  local whole = check_statistic(statistic(numbers))
  for i = 1, o.resamples do
    for j = 1, n do numbers[j] = rng:below(n) + 1 end
    found[i] = check_statistic(statistic(numbers))
  end
  local low, high = bootstrap.interval(found, o.confidence)
  return { mean = whole, low = low, high = high }
end

-- how many rows each cell has
local function counts_of(cells, k)
  local counts = {}
  for i = 1, k do counts[i] = 0 end
  for _, cell in ipairs(cells) do counts[cell] = counts[cell] + 1 end
  return counts
end

-- cells as C counts them
local function from_zero(cells, k)
  local list = {}
  for i, cell in ipairs(check.table(cells, "bootstrap: cells")) do
    list[i] = check.integer(cell, ("bootstrap: cells: %d"):format(i),
      { least = 1, most = k }) - 1
  end
  if #list == 0 then error("bootstrap: cells: no rows", 0) end
  return tensor.from(list, "int32")
end

-- Of each statistic its value on the rows themselves, and on each resample.
local function resample(cells, k, statistics, o)
  check.integer(k, "bootstrap: k", { least = 1 })
  local drawn_from, rng = from_zero(cells, k), core.rng(o.seed)
  local whole, found, counts = {}, {}, counts_of(cells, k)
  for name, statistic in pairs(statistics) do
    check.func(statistic, "bootstrap: statistic")
    whole[name], found[name] = check_statistic(statistic(counts)), {}
  end
  for i = 1, o.resamples do
    counts = rng:resample(drawn_from, k):totable()
    for name, statistic in pairs(statistics) do
      found[name][i] = check_statistic(statistic(counts))
    end
  end
  return whole, found
end

--- Statistics of how many rows are in which cell, and their intervals.
-- @tparam {int,...} cells of each row, 1 to k
-- @int k cells
-- @tparam table statistics name to a function from an array of k counts, whose
--   sum is the number of rows, to a number
-- @tparam[opt] table given as for `of`
-- @treturn table name to `{ mean =, low =, high = }`
-- @raise when there are no rows, a cell is none, or a statistic is no finite
--   number
-- @usage bootstrap.cells({ 1, 2, 2 }, 2, { accuracy = function(counts)
--   return counts[2] / 3 end }).accuracy.low
function bootstrap.cells(cells, k, statistics, given)
  local o, intervals = check_options(given), {}
  local whole, found = resample(cells, k, statistics, o)
  for name, values in pairs(found) do
    local low, high = bootstrap.interval(values, o.confidence)
    intervals[name] = { mean = whole[name], low = low, high = high }
  end
  return intervals
end

-- A cell for each value that occurs, and the mean of counts of these.
local function mean_of(values)
  local cell_of, distinct, cells = {}, {}, {}
  for i, value in ipairs(values) do
    if not cell_of[value] then
      distinct[#distinct + 1] = value
      cell_of[value] = #distinct
    end
    cells[i] = cell_of[value]
  end
  local function mean(counts)
    local sum = 0
    for cell, value in ipairs(distinct) do sum = sum + counts[cell] * value end
    return sum / #values
  end
  return cells, #distinct, mean
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
  local cells, k, mean = mean_of(values)
  return bootstrap.cells(cells, k, { mean = mean }, given).mean
end

-- }========

-- {======== two systems ========

-- The share of resamples in which the better system is more than twice as much
-- better as it is: as often as a difference this large would come about if
-- there were none (Berg-Kirkpatrick et al. 2012, Figure 1). One-sided.
local function p_of(found, difference)
  if difference == 0 then return 1 end
  local sign, n = difference > 0 and 1 or -1, 0
  local bar = 2 * difference * sign
  for _, value in ipairs(found) do
    if value * sign > bar * (1 + ROUNDING) then n = n + 1 end
  end
  return n / #found
end

--- The difference of two systems' means on the same rows (paired bootstrap),
-- and its interval: they differ where it leaves out 0.
-- @tparam {number,...} a one value for each row
-- @tparam {number,...} b likewise, in the same order
-- @tparam[opt] table given as for `of`
-- @treturn table `mean` of a less that of b, `low`, `high`; `p`, the share of
--   resamples in which the better one is more than twice as much better as on
--   the rows themselves (Berg-Kirkpatrick et al. 2012; one-sided; 1 where
--   neither is)
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
  local o, cells, k, mean = check_options(given), mean_of(differences)
  local whole, found = resample(cells, k, { mean = mean }, o)
  local low, high = bootstrap.interval(found.mean, o.confidence)
  return { mean = whole.mean, low = low, high = high,
    p = p_of(found.mean, whole.mean) }
end

-- }========

return bootstrap
