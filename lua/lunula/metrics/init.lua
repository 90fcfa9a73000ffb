--- How well predicted labels agree with the right ones, and how honest their
-- probabilities are.
-- A report is computed from the confusion matrix, as scikit-learn computes it;
-- where a ratio has nothing to divide by, it is 0. Rows with several labels
-- (`metrics.multi_label`), numbers (`metrics.regression`) and labels in an
-- order (`metrics.ordinal`) have reports of their own.
-- @module lunula.metrics

local calibration = require "lunula.metrics.calibration"
local layout = require "lunula.metrics.layout"
local lists = require "lunula.metrics.lists"
local ordinal = require "lunula.metrics.ordinal"
local ranking = require "lunula.metrics.ranking"
local selective = require "lunula.metrics.selective"

local metrics = {}

local Report = {}

local TOTALS = {
  { "accuracy", "accuracy" }, { "macro_f1", "macro F1" },
  { "weighted_f1", "weighted F1" }, { "mcc", "MCC" },
}
local HONEST_TOTALS = { TOTALS[1], TOTALS[2], TOTALS[3], TOTALS[4],
  { "ece", "ECE" }, { "brier", "Brier score" } }

local function fail(message, ...)
  error(message:format(...), 0)
end

local function check_strings(list, what)
  for i, label in ipairs(list) do
    if type(label) ~= "string" then
      fail("metrics.report: %s label %d: expected a string, got %s", what, i,
        type(label))
    end
  end
end

local function check_lists(gold, predicted)
  lists.check(gold, predicted, "metrics.report", "labels")
  check_strings(gold, "right")
  check_strings(predicted, "predicted")
end

local function all_labels(gold, predicted)
  local seen, labels = {}, {}
  for _, list in ipairs({ gold, predicted }) do
    for _, label in ipairs(list) do
      if not seen[label] then labels[#labels + 1] = label end
      seen[label] = true
    end
  end
  table.sort(labels)
  return labels
end

local function numbered(labels)
  check_strings(labels, "listed")
  local number = {}
  for i, label in ipairs(labels) do
    if number[label] then
      fail("metrics.report: label '%s' is listed twice", label)
    end
    number[label] = i
  end
  return number
end

local function number_of(number, label, what, row)
  return number[label] or fail("metrics.report: %s label %d is '%s', which "
    .. "is not among the labels", what, row, label)
end

-- confusion[i][j]: how often label i was predicted as label j
local function confusion_of(gold, predicted, labels)
  local number, confusion = numbered(labels), {}
  for i = 1, #labels do
    confusion[i] = {}
    for j = 1, #labels do confusion[i][j] = 0 end
  end
  for row = 1, #gold do
    local i = number_of(number, gold[row], "right", row)
    local j = number_of(number, predicted[row], "predicted", row)
    confusion[i][j] = confusion[i][j] + 1
  end
  return confusion
end

-- Per label: rows right, rows that are it, rows predicted as it.
local function counts_of(confusion)
  local right, support, claimed = {}, {}, {}
  for i = 1, #confusion do
    right[i], support[i], claimed[i] = confusion[i][i], 0, 0
    for j = 1, #confusion do
      support[i] = support[i] + confusion[i][j]
      claimed[i] = claimed[i] + confusion[j][i]
    end
  end
  return { right = right, support = support, claimed = claimed }
end

local function ratio(a, b)
  return b == 0 and 0 or a / b
end

local function class_scores(counts, i)
  local right = counts.right[i]
  local support, claimed = counts.support[i], counts.claimed[i]
  return {
    precision = ratio(right, claimed),
    recall = ratio(right, support),
    f1 = ratio(2 * right, claimed + support),
    support = support,
  }
end

-- How much more often both agree than chance would make them, as a share of
-- what is left to chance (Cohen 1960); 1 where chance would leave nothing.
local function kappa_of(counts, right, n)
  local both = 0
  for i, s in ipairs(counts.support) do both = both + s * counts.claimed[i] end
  local left = n * n - both
  return left == 0 and 1 or (right * n - both) / left
end

-- The multi-class correlation of Gorodkin (2004), "Comparing two K-category
-- assignments by a K-category correlation coefficient": with n rows,
-- (right n - sum s c) / sqrt((n^2 - sum s^2) (n^2 - sum c^2)), where s is
-- how often a label occurs and c how often it is predicted.
local function correlation(counts, right, n)
  local both, support, claimed = 0, 0, 0
  for i = 1, #counts.support do
    local s, c = counts.support[i], counts.claimed[i]
    both, support, claimed = both + s * c, support + s * s, claimed + c * c
  end
  local spread = math.sqrt(n * n - support) * math.sqrt(n * n - claimed)
  return ratio(right * n - both, spread)
end

local function total(numbers)
  local sum = 0
  for _, number in ipairs(numbers) do sum = sum + number end
  return sum
end

-- The mean recall of labels that occur. Summed in their order: another one may
-- round otherwise.
local function balanced_accuracy(report)
  local sum, n = 0, 0
  for _, label in ipairs(report.labels) do
    local scores = report.per_class[label]
    sum = sum + scores.recall
    n = n + (scores.support > 0 and 1 or 0)
  end
  return sum / n
end

local function fill_scores(report, counts)
  local weighted, k = 0, #report.labels
  local macro = { precision = 0, recall = 0, f1 = 0 }
  for i, label in ipairs(report.labels) do
    local scores = class_scores(counts, i)
    report.per_class[label] = scores
    for name, sum in pairs(macro) do macro[name] = sum + scores[name] end
    weighted = weighted + scores.f1 * scores.support
  end
  for name, sum in pairs(macro) do report["macro_" .. name] = sum / k end
  report.weighted_f1 = weighted / report.n
  report.balanced_accuracy = balanced_accuracy(report)
end

--- Compares predicted labels with the right ones.
-- @tparam {string,...} gold the right labels
-- @tparam {string,...} predicted as many
-- @tparam[opt] {string,...} labels all that there are, in the order of the
--   confusion matrix; those that occur, sorted, when not given. A label that
--   never occurs counts with F1 = 0 in `macro_f1`.
-- @treturn table `n`, `accuracy` (of single labels the micro F1, too),
--   `macro_f1`, `macro_precision`, `macro_recall`, `weighted_f1` (weighted by
--   support), `balanced_accuracy` (the mean recall of labels that occur),
--   `mcc` (-1 to 1), `kappa` (Cohen's); `labels`; `per_class`, label to
--   `{precision=, recall=, f1=, support=}`; `confusion`, where
--   `confusion[i][j]` counts rows of `labels[i]` predicted as `labels[j]`.
--   `tostring` gives what `metrics.format` does
-- @raise when the arrays are empty or differ in length, or hold a label that
--   is not among those given
-- @usage local report = metrics.report({ "a", "b", "b" }, { "a", "b", "a" })
-- print(report.accuracy, report.per_class.b.recall) --> 0.66667  0.5
function metrics.report(gold, predicted, labels)
  check_lists(gold, predicted)
  labels = labels or all_labels(gold, predicted)
  local confusion = confusion_of(gold, predicted, labels)
  local counts = counts_of(confusion)
  local n, right = #gold, total(counts.right)
  local report = setmetatable({
    n = n, accuracy = right / n, mcc = correlation(counts, right, n),
    kappa = kappa_of(counts, right, n),
    per_class = {}, confusion = confusion, labels = {},
  }, Report)
  for i, label in ipairs(labels) do report.labels[i] = label end
  fill_scores(report, counts)
  return report
end

--- How sure and whether right the most probable class of each row is: see
-- `lunula.metrics.calibration`.
-- @function metrics.confidence
metrics.confidence = calibration.confidence

--- The Brier score: see `lunula.metrics.calibration`.
-- @function metrics.brier
metrics.brier = calibration.brier

--- The log loss: see `lunula.metrics.calibration`.
-- @function metrics.log_loss
metrics.log_loss = calibration.log_loss

--- The expected calibration error and its bins: see
-- `lunula.metrics.calibration`.
-- @function metrics.calibration
metrics.calibration = calibration.error

--- Coverage against accuracy: see `lunula.metrics.selective`.
-- @function metrics.selective
metrics.selective = selective.points

--- The area under the risk-coverage curve: see `lunula.metrics.selective`.
-- @function metrics.aurc
metrics.aurc = selective.aurc

--- The area under the ROC curve: see `lunula.metrics.ranking`.
-- @function metrics.roc_auc
metrics.roc_auc = ranking.roc_auc

--- The average precision: see `lunula.metrics.ranking`.
-- @function metrics.average_precision
metrics.average_precision = ranking.average_precision

--- A report as text for a terminal: a table of the labels' scores; coverage
-- against accuracy where it is known (as from `evaluate`); and the confusion
-- matrix where it fits into 80 columns, or else the most frequent confusions.
-- @tparam table report from `metrics.report`
-- @treturn string lines, each with its end
-- @usage io.write(metrics.format(report))
function metrics.format(report)
  return layout.scores(report, report.ece and HONEST_TOTALS or TOTALS) .. "\n"
    .. layout.selective(report) .. layout.confusion(report)
end

Report.__tostring = metrics.format

--- Intervals of confidence: see `lunula.metrics.bootstrap`.
metrics.bootstrap = require "lunula.metrics.bootstrap"

--- McNemar's exact test of two systems: see `lunula.metrics.mcnemar`.
-- @function metrics.mcnemar
metrics.mcnemar = require "lunula.metrics.mcnemar"

--- Of rows with several labels each: see `lunula.metrics.multi_label`.
metrics.multi_label = require "lunula.metrics.multi_label"

--- Of numbers: see `lunula.metrics.regression`.
metrics.regression = require "lunula.metrics.regression"

--- Of labels in an order: see `lunula.metrics.ordinal`.
-- @function metrics.ordinal
-- @tparam {string,...} gold
-- @tparam {string,...} predicted
-- @tparam {string,...} labels
-- @treturn table
function metrics.ordinal(gold, predicted, labels)
  return ordinal(metrics.report(gold, predicted, labels))
end

return metrics
