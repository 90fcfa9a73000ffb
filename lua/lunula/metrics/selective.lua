--- Selective prediction: how often answers are right where only those are
-- given that are sure enough (El-Yaniv & Wiener 2010; Geifman & El-Yaniv 2017,
-- "Selective classification for deep neural networks").
-- Rows of the same confidence are answered or left together, as one threshold
-- can't tell them apart.
-- @module lunula.metrics.selective

local calibration = require "lunula.metrics.calibration"
local check = require "lunula.check"
local options = require "lunula.options"

local selective = {}

local none = options.none

-- Row numbers, the surest first.
local function by_confidence(confidence)
  local order = {}
  for i = 1, #confidence do order[i] = i end
  table.sort(order, function(a, b)
    if confidence[a] ~= confidence[b] then
      return confidence[a] > confidence[b]
    end
    return a < b
  end)
  return order
end

--- All thresholds that differ in what they let through.
-- @tparam {number,...} confidence of each row, that `calibration.check` passed
-- @tparam {bool,...} correct whether each was right
-- @treturn {table,...} `{threshold=, covered=, right=}` with the highest
--   threshold first: how many rows are at least as sure, and how many of these
--   are right
function selective.curve(confidence, correct)
  local points, point = {}, { covered = 0, right = 0 }
  for _, i in ipairs(by_confidence(confidence)) do
    if confidence[i] ~= point.threshold then
      point = { threshold = confidence[i], covered = point.covered,
        right = point.right }
      points[#points + 1] = point
    end
    point.covered = point.covered + 1
    point.right = point.right + (correct[i] and 1 or 0)
  end
  return points
end

-- the first point that covers so many rows; 0.55 of 100 are not 56
local function covering(points, coverage, n)
  for _, point in ipairs(points) do
    if point.covered >= coverage * n - 1e-9 then return point end
  end
  return points[#points]
end

-- the last point that the threshold lets through
local function let_through(points, threshold)
  local last
  for _, point in ipairs(points) do
    if point.threshold < threshold then break end
    last = point
  end
  return last
end

local function at_coverages(points, coverages, n)
  local list = {}
  for i, coverage in ipairs(coverages) do
    local point = covering(points, coverage, n)
    list[i] = { coverage = point.covered / n, threshold = point.threshold,
      accuracy = point.right / point.covered }
  end
  return list
end

local function at_thresholds(points, thresholds, n)
  local list = {}
  for i, threshold in ipairs(thresholds) do
    local point = let_through(points, threshold)
    list[i] = { coverage = point and point.covered / n or 0,
      threshold = threshold, accuracy = point and point.right / point.covered }
  end
  return list
end

local function check_shares(list, what)
  check.table(list, what)
  for i, value in ipairs(list) do
    check.number(value, ("%s: %d"):format(what, i), { least = 0, most = 1 })
  end
end

local COVERAGES = { 1, 0.9, 0.8, 0.7, 0.6, 0.5 }

--- Coverage against accuracy.
-- @tparam {number,...} confidence of each row, 0 to 1
-- @tparam {bool,...} correct whether each was right
-- @tparam[opt] table given
-- @tparam[opt] {number,...} given.coverages shares of the rows to be answered;
--   1, 0.9, 0.8, 0.7, 0.6, 0.5 when neither is given. The least rows are taken
--   that are that many
-- @tparam[opt] {number,...} given.thresholds instead: rows are answered that
--   are at least so sure
-- @treturn {table,...} for each `{coverage=, accuracy=, threshold=}`: the share
--   of the rows answered, how many of these are right (nil where there are
--   none), and the least confidence of one that is answered
-- @raise when both are given; when the arrays are empty or differ in length
-- @usage local points = metrics.selective(confidence, correct,
--   { coverages = { 1, 0.9 } })
function selective.points(confidence, correct, given)
  local what = "metrics.selective"
  local o = options.check(given, { coverages = none, thresholds = none }, what)
  if o.coverages and o.thresholds then
    error(what .. ": coverages and thresholds: give one of them", 0)
  end
  calibration.check(confidence, correct, what)
  local name = o.thresholds and "thresholds" or "coverages"
  local asked = o[name] or COVERAGES
  check_shares(asked, what .. ": " .. name)
  local points = selective.curve(confidence, correct)
  local at = o.thresholds and at_thresholds or at_coverages
  return at(points, asked, #confidence)
end

-- The sum of wrong / answered over answered = from + 1 .. to, where `wrong`
-- rows are wrong before these and `more` of these, in any order: its mean.
local function risks(from, to, wrong, more)
  local sum = 0
  for k = from + 1, to do
    sum = sum + (wrong + more * (k - from) / (to - from)) / k
  end
  return sum
end

--- The area under the risk-coverage curve (AURC; Geifman et al. 2019,
-- "Bias-reduced uncertainty estimation"): the mean over k = 1 .. n of the share
-- of wrong ones among the k surest rows; the lower the better. Rows of the same
-- confidence count as the mean over their orders.
-- @tparam {number,...} confidence of each row, 0 to 1
-- @tparam {bool,...} correct whether each was right
-- @treturn number from 0 to 1
-- @raise when the arrays are empty or differ in length
-- @usage metrics.aurc({ 0.9, 0.8 }, { true, false }) --> 0.25
function selective.aurc(confidence, correct)
  calibration.check(confidence, correct, "metrics.aurc")
  local sum, from, wrong = 0, 0, 0
  for _, point in ipairs(selective.curve(confidence, correct)) do
    local more = point.covered - point.right - wrong
    sum = sum + risks(from, point.covered, wrong, more)
    from, wrong = point.covered, wrong + more
  end
  return sum / #confidence
end

return selective
