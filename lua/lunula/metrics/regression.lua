--- How well predicted numbers agree with the right ones.
-- As scikit-learn and SciPy compute it; where a ratio has nothing to divide by
-- (all numbers are the same), it is 0, but `r2` of what is right throughout 1.
-- @module lunula.metrics.regression

local layout = require "lunula.metrics.layout"
local lists = require "lunula.metrics.lists"

local Report = {}

local TOTALS = {
  { "mse", "mean squared error" }, { "mae", "mean absolute error" },
  { "pearson", "Pearson" }, { "spearman", "Spearman" }, { "r2", "R2" },
}

local function fail(message, ...)
  error("metrics.regression: " .. message:format(...), 0)
end

local function mean(values)
  local sum = 0
  for _, value in ipairs(values) do sum = sum + value end
  return sum / #values
end

-- the sum of products of deviations from the means
local function joint_spread(a, b)
  local mean_a, mean_b, sum = mean(a), mean(b), 0
  for i = 1, #a do sum = sum + (a[i] - mean_a) * (b[i] - mean_b) end
  return sum
end

local function pearson(a, b)
  local spread = math.sqrt(joint_spread(a, a)) * math.sqrt(joint_spread(b, b))
  return spread == 0 and 0 or joint_spread(a, b) / spread
end

-- Ranks from 1; equal values share the mean of theirs.
local function ranks_of(values)
  local order, ranks = {}, {}
  for i = 1, #values do order[i] = i end
  table.sort(order, function(i, j) return values[i] < values[j] end)
  local first = 1
  while first <= #order do
    local last = first
    while last < #order
        and values[order[last + 1]] == values[order[first]] do
      last = last + 1
    end
    for place = first, last do ranks[order[place]] = (first + last) / 2 end
    first = last + 1
  end
  return ranks
end

local function errors_of(gold, predicted)
  local squares, absolutes = 0, 0
  for i = 1, #gold do
    local off = predicted[i] - gold[i]
    squares, absolutes = squares + off * off, absolutes + math.abs(off)
  end
  return squares, absolutes
end

local function r2(gold, squares)
  local spread = joint_spread(gold, gold)
  if spread == 0 then return squares == 0 and 1 or 0 end
  return 1 - squares / spread
end

local function check_numbers(list, what)
  for i, value in ipairs(list) do
    if type(value) ~= "number" or value - value ~= 0 then
      fail("%s number %d: expected a number, got %s", what, i,
        type(value) ~= "number" and type(value)
        or value ~= value and "NaN" or tostring(value))
    end
  end
end

local function check(gold, predicted)
  lists.check(gold, predicted, "metrics.regression", "numbers")
  check_numbers(gold, "right")
  check_numbers(predicted, "predicted")
end

Report.__tostring = function(report) return layout.totals(report, TOTALS) end

--- Compares predicted numbers with the right ones.
-- @function regression
-- @tparam {number,...} gold
-- @tparam {number,...} predicted as many
-- @treturn table `n`; `mse` and `mae`, the means of squared and of absolute
--   errors; `pearson` and `spearman`, correlations of the numbers and of their
--   ranks; `r2`, the share of the spread that is explained. `tostring` gives a
--   table for a terminal
-- @raise when the arrays are empty, differ in length, or hold no numbers
-- @usage print(metrics.regression({ 1, 2, 4 }, { 1, 3, 4 }).spearman)
return function(gold, predicted)
  check(gold, predicted)
  local squares, absolutes = errors_of(gold, predicted)
  return setmetatable({
    n = #gold, mse = squares / #gold, mae = absolutes / #gold,
    pearson = pearson(gold, predicted),
    spearman = pearson(ranks_of(gold), ranks_of(predicted)),
    r2 = r2(gold, squares),
  }, Report)
end
