--- How well scores put the rows that are something above those that are not,
-- whatever the threshold.
-- As scikit-learn computes it; rows of the same score count as one step.
-- @module lunula.metrics.ranking

local check = require "lunula.check"

local ranking = {}

-- {======== one label ========

-- For each score that occurs, the highest first: how many rows have it or a
-- higher one, and how many of these are right.
local function steps_of(scores, right)
  local order, steps, step = {}, {}, { taken = 0, right = 0 }
  for i = 1, #scores do order[i] = i end
  table.sort(order, function(i, j) return scores[i] > scores[j] end)
  for _, i in ipairs(order) do
    if scores[i] ~= step.score then
      step = { score = scores[i], taken = step.taken, right = step.right }
      steps[#steps + 1] = step
    end
    step.taken = step.taken + 1
    step.right = step.right + (right[i] and 1 or 0)
  end
  return steps, step.right
end

local function check_rows(scores, right, what)
  check.table(scores, what .. ": scores")
  check.table(right, what .. ": right")
  if #scores ~= #right then
    error(("%s: %d scores, but %d rows that are right or not"):format(what,
      #scores, #right), 0)
  end
  for i, score in ipairs(scores) do
    check.number(score, ("%s: score of row %d"):format(what, i))
    check.boolean(right[i], ("%s: right: row %d"):format(what, i))
  end
end

-- the trapezoids under true positives against false positives
local function area(steps, positive, n)
  local sum, before = 0, { taken = 0, right = 0 }
  for _, step in ipairs(steps) do
    local wrong = step.taken - step.right - (before.taken - before.right)
    sum = sum + wrong * (step.right + before.right) / 2
    before = step
  end
  return sum / (positive * (n - positive))
end

-- precision at each step, by the recall that the step adds
local function mean_precision(steps, positive)
  local sum, before = 0, 0
  for _, step in ipairs(steps) do
    sum = sum + (step.right - before) * (step.right / step.taken)
    before = step.right
  end
  return sum / positive
end

-- both, where they are defined
local function judge(scores, right)
  local steps, positive = steps_of(scores, right)
  if positive == 0 then return nil, nil end
  return positive < #scores and area(steps, positive, #scores) or nil,
    mean_precision(steps, positive)
end

--- The area under the ROC curve: how often a row that is something has a
-- higher score than one that is not; the same score counts half.
-- @tparam {number,...} scores
-- @tparam {bool,...} right whether each row is it
-- @treturn ?number 0 to 1; nil where all rows are, or none
-- @raise when the arrays differ in length or hold something else
-- @usage metrics.roc_auc({ 0.9, 0.4, 0.6 }, { true, false, true }) --> 1
function ranking.roc_auc(scores, right)
  check_rows(scores, right, "metrics.roc_auc")
  return (judge(scores, right))
end

--- The average precision: the mean over the rows that are something of the
-- share of such rows among those with at least their score (the area under
-- the steps of precision against recall).
-- @tparam {number,...} scores
-- @tparam {bool,...} right whether each row is it
-- @treturn ?number 0 to 1; nil where no row is
-- @raise when the arrays differ in length or hold something else
-- @usage metrics.average_precision({ 0.9, 0.4 }, { false, true }) --> 0.5
function ranking.average_precision(scores, right)
  check_rows(scores, right, "metrics.average_precision")
  local _, precision = judge(scores, right)
  return precision
end

-- }========

-- {======== several labels ========

local Mean = {}
Mean.__index = Mean

function Mean:add(value)
  if value then self.sum, self.n = self.sum + value, self.n + 1 end
end

-- nil where there was nothing
function Mean:value()
  return self.n > 0 and self.sum / self.n or nil
end

local function new_mean()
  return setmetatable({ sum = 0, n = 0 }, Mean)
end

--- The means over labels, each against all others (macro, one against the
-- rest). Labels for which a score is not defined are left out of its mean.
-- @tparam {{number,...},...} probabilities of each row's labels
-- @func is_right of a row's number and a label's, whether the row has it
-- @treturn table `roc_auc` and `average_precision`, each nil where it is not
--   defined for any label
function ranking.macro(probabilities, is_right)
  local areas, precisions = new_mean(), new_mean()
  for label = 1, #probabilities[1] do
    local scores, right = {}, {}
    for i, row in ipairs(probabilities) do
      scores[i], right[i] = row[label], is_right(i, label)
    end
    local roc, precision = judge(scores, right)
    areas:add(roc)
    precisions:add(precision)
  end
  return { roc_auc = areas:value(), average_precision = precisions:value() }
end

-- }========

return ranking
