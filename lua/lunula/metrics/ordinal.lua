--- How far predicted labels are from the right ones, where labels have an
-- order.
-- @module lunula.metrics.ordinal

local layout = require "lunula.metrics.layout"

local Report = {}

local TOTALS = {
  { "accuracy", "accuracy" }, { "macro_f1", "macro F1" },
  { "weighted_f1", "weighted F1" }, { "mae", "mean absolute error" },
  { "quadratic_kappa", "quadratic kappa" },
}

-- How often each label is right, and how often predicted.
local function sums_of(confusion)
  local right, predicted = {}, {}
  for i = 1, #confusion do
    right[i], predicted[i] = 0, 0
    for j = 1, #confusion do
      right[i] = right[i] + confusion[i][j]
      predicted[i] = predicted[i] + confusion[j][i]
    end
  end
  return right, predicted
end

-- The distances between ranks, the squared ones, and those that labels drawn
-- at random from the same sums would have.
local function distances_of(confusion, n)
  local right, predicted = sums_of(confusion)
  local absolute, squared, expected = 0, 0, 0
  for i = 1, #confusion do
    for j = 1, #confusion do
      local off = math.abs(i - j)
      absolute = absolute + off * confusion[i][j]
      squared = squared + off * off * confusion[i][j]
      expected = expected + off * off * right[i] * predicted[j] / n
    end
  end
  return absolute, squared, expected
end

Report.__tostring = function(report)
  return layout.scores(report, TOTALS) .. "\n" .. layout.confusion(report)
end

--- What `metrics.report` says, and how far off the ranks are.
-- @function ordinal
-- @tparam table report of `metrics.report`, its labels in their order
-- @treturn table the report, with `mae`, the mean distance in ranks; and
--   `quadratic_kappa`, Cohen's kappa weighted by the square of the distance
--   (Cohen 1968): 1 when all are right, 0 for what chance would do
return function(report)
  local absolute, squared, expected = distances_of(report.confusion, report.n)
  report.mae = absolute / report.n
  report.quadratic_kappa = expected == 0 and 1 or 1 - squared / expected
  return setmetatable(report, Report)
end
