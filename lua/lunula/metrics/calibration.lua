--- How honest probabilities are: whether what is said with 0.9 is right nine
-- times of ten.
-- What a row is answered with is its most probable class; its probability is
-- the row's *confidence*. Sums are doubles, whatever the numbers came as.
-- @module lunula.metrics.calibration

local check = require "lunula.check"
local options = require "lunula.options"

local calibration = {}

-- what a float32 softmax may be above 1
local SLACK = 1e-5

local function fail(message, ...)
  error(message:format(...), 0)
end

-- {======== what was given ========

local function check_row(row, i, n_classes, what)
  if type(row) ~= "table" or #row ~= n_classes then
    fail("%s: row %d: expected an array of %d probabilities", what, i,
      n_classes)
  end
  for class, p in ipairs(row) do
    if type(p) ~= "number" or not (p >= 0 and p <= 1 + SLACK) then
      fail("%s: row %d: class %d: expected a probability, got %s", what, i,
        class - 1, tostring(p))
    end
  end
end

local function check_class(class, i, n_classes, what)
  check.integer(class, ("%s: class of row %d"):format(what, i),
    { least = 0, most = n_classes - 1 })
end

-- Rows of probabilities, as tables, each with a class.
local function rows_of(probabilities, classes, what)
  if type(probabilities) == "userdata" then
    probabilities = check.tensor(probabilities, what):totable()
  end
  check.table(probabilities, what .. ": probabilities")
  check.table(classes, what .. ": classes")
  local first = probabilities[1]
  if #probabilities == 0 or #probabilities ~= #classes then
    fail("%s: %d rows of probabilities, but %d classes", what, #probabilities,
      #classes)
  end
  for i, row in ipairs(probabilities) do
    check_row(row, i, type(first) == "table" and #first or 0, what)
    check_class(classes[i], i, #row, what)
  end
  return probabilities
end

--- Checks what is known of answered rows.
-- @tparam {number,...} confidence of each row, 0 to 1
-- @tparam {bool,...} correct whether each was right
-- @string what who asks, for the message
-- @raise when they differ in length, or are empty or something else
function calibration.check(confidence, correct, what)
  check.table(confidence, what .. ": confidence")
  check.table(correct, what .. ": correct")
  if #confidence == 0 or #confidence ~= #correct then
    fail("%s: %d rows of confidence, but %d that are right or not", what,
      #confidence, #correct)
  end
  for i, p in ipairs(confidence) do
    check.number(p, ("%s: confidence of row %d"):format(what, i),
      { least = 0, most = 1 + SLACK })
    check.boolean(correct[i], ("%s: correct: row %d"):format(what, i))
  end
end

-- }========

local function most_probable(row)
  local best = 1
  for class, p in ipairs(row) do
    if p > row[best] then best = class end
  end
  return best
end

--- The most probable class of each row: how probable, and whether it is right.
-- @tparam tensor|{{number,...},...} probabilities [n, C]; of equal ones the
--   first class counts
-- @tparam {int,...} classes the right ones, from 0
-- @treturn {number,...} confidence
-- @treturn {bool,...} correct
-- @raise when sizes don't fit, or a number is no probability or class
-- @usage local confidence, correct = metrics.confidence(
--   { { 0.9, 0.1 }, { 0.4, 0.6 } }, { 0, 0 }) --> {0.9, 0.6}, {true, false}
function calibration.confidence(probabilities, classes)
  local confidence, correct = {}, {}
  local rows = rows_of(probabilities, classes, "metrics.confidence")
  for i, row in ipairs(rows) do
    local best = most_probable(row)
    confidence[i] = math.min(row[best], 1)
    correct[i] = best - 1 == classes[i]
  end
  return confidence, correct
end

--- The Brier score: the mean over rows of the sum over classes of (p - y)^2,
-- where y is 1 for the right class and 0 for others. Brier's own definition
-- (1950, "Verification of forecasts expressed in terms of probability"), from
-- 0 to 2; for two classes, twice what scikit-learn's `brier_score_loss` says
-- of one of them.
-- @tparam tensor|{{number,...},...} probabilities [n, C]
-- @tparam {int,...} classes the right ones, from 0
-- @treturn number
-- @raise when sizes don't fit, or a number is no probability or class
-- @usage metrics.brier({ { 0.9, 0.1 } }, { 0 }) --> 0.02
function calibration.brier(probabilities, classes)
  local sum, rows = 0, rows_of(probabilities, classes, "metrics.brier")
  for i, row in ipairs(rows) do
    for class, p in ipairs(row) do
      local off = class - 1 == classes[i] and 1 - p or p
      sum = sum + off * off
    end
  end
  return sum / #rows
end

-- A probability that the logarithm bears: float64's spacing at 1 away from 0
-- and from 1, as scikit-learn.
local EPSILON = 2 ^ -52

--- What a probability of what came true adds to the log loss: -log p.
-- @number p 0 to 1
-- @treturn number 0 to 36.04
function calibration.surprise(p)
  return -math.log(math.min(math.max(p, EPSILON), 1 - EPSILON))
end

--- The log loss (cross entropy): the mean over rows of -log p of the right
-- class, p being kept 2.2e-16 away from 0 and 1.
-- @tparam tensor|{{number,...},...} probabilities [n, C]
-- @tparam {int,...} classes the right ones, from 0
-- @treturn number
-- @raise when sizes don't fit, or a number is no probability or class
-- @usage metrics.log_loss({ { 0.9, 0.1 } }, { 0 }) --> 0.10536
function calibration.log_loss(probabilities, classes)
  local sum, rows = 0, rows_of(probabilities, classes, "metrics.log_loss")
  for i, row in ipairs(rows) do
    sum = sum + calibration.surprise(row[classes[i] + 1])
  end
  return sum / #rows
end

-- {======== bins ========

local function empty_bins(n)
  local bins = {}
  for i = 1, n do
    bins[i] = { lower = (i - 1) / n, upper = i / n, count = 0,
      confidence = 0, accuracy = 0 }
  end
  return bins
end

-- the bin whose (lower, upper] it is in; 0 is in the first
local function bin_of(bins, p)
  return bins[math.min(math.max(math.ceil(p * #bins), 1), #bins)]
end

local function fill(bins, confidence, correct)
  for i, p in ipairs(confidence) do
    local bin = bin_of(bins, p)
    bin.count = bin.count + 1
    bin.confidence = bin.confidence + p
    bin.accuracy = bin.accuracy + (correct[i] and 1 or 0)
  end
  for _, bin in ipairs(bins) do
    local n = math.max(bin.count, 1)
    bin.confidence, bin.accuracy = bin.confidence / n, bin.accuracy / n
  end
end

--- The expected calibration error (Naeini et al. 2015, "Obtaining well
-- calibrated probabilities using Bayesian binning"; as Guo et al. 2017, "On
-- calibration of modern neural networks", take it of the most probable class):
-- rows are put into bins of equal width by their confidence, and the mean over
-- rows of |accuracy - mean confidence| of their bin is taken.
-- @tparam {number,...} confidence of each row, 0 to 1
-- @tparam {bool,...} correct whether each was right
-- @tparam[opt] table given
-- @int[opt=15] given.bins how many
-- @treturn table `ece`; `bins`, what a reliability diagram shows: a list of
--   `{lower=, upper=, count=, confidence=, accuracy=}` (means; 0 of an empty
--   bin), where a bin holds lower < confidence <= upper
-- @raise when the arrays are empty, differ in length or hold something else
-- @usage local found = metrics.calibration(confidence, correct)
-- for _, bin in ipairs(found.bins) do print(bin.confidence, bin.accuracy) end
function calibration.error(confidence, correct, given)
  local o = options.check(given, { bins = 15 }, "metrics.calibration")
  check.integer(o.bins, "metrics.calibration: bins", { least = 1 })
  calibration.check(confidence, correct, "metrics.calibration")
  local bins, ece = empty_bins(o.bins), 0
  fill(bins, confidence, correct)
  for _, bin in ipairs(bins) do
    ece = ece + bin.count / #confidence
      * math.abs(bin.accuracy - bin.confidence)
  end
  return { ece = ece, bins = bins }
end

-- }========

return calibration
