--- What `lunula.evaluate` finds beside the scores, when it is asked:
-- intervals, reliability, ranking, slices, the worst answers. All of it is made
-- of what the model said of each row, with no second look by the model, but
-- for the words that explain an answer.
-- @module lunula.evaluate.detail

local bootstrap = require "lunula.metrics.bootstrap"
local calibration = require "lunula.metrics.calibration"
local check = require "lunula.check"
local none = require("lunula.options").none
local ranking = require "lunula.metrics.ranking"
local slices = require "lunula.evaluate.slices"
local worst = require "lunula.evaluate.worst"

local detail = {}

--- The options, and their defaults.
detail.KNOWN = {
  intervals = false, resamples = 2000, seed = 0, reliability = false,
  ranking = false, slices = none, slice_least = 20, worst = 0, explain = false,
}

local SWITCHES = { "intervals", "reliability", "ranking", "explain" }
local BINS = 15

-- {======== options ========

-- What asks a model for more than it has.
local function check_model(o, model)
  for _, name in ipairs { "reliability", "ranking" } do
    if o[name] and not model.problem.probabilities then
      error(("evaluate: %s: a %s has no probabilities"):format(name,
        model.problem.name), 0)
    end
  end
end

--- Checks the options.
-- @tparam table o
-- @tparam classifier model
-- @tparam {table,...} rows
-- @treturn bool whether anything is asked for
-- @raise when an option is none, or the model can't do it
function detail.check(o, model, rows)
  for _, name in ipairs(SWITCHES) do
    check.boolean(o[name], "evaluate: " .. name)
  end
  check.integer(o.resamples, "evaluate: resamples", { least = 1 })
  check.integer(o.seed, "evaluate: seed")
  check.integer(o.worst, "evaluate: worst", { least = 0 })
  check.integer(o.slice_least, "evaluate: slice_least", { least = 1 })
  check_model(o, model)
  if o.slices then slices.check(o.slices, rows) end
  if o.explain then worst.check_explained(model, rows) end
  return o.intervals or o.reliability or o.ranking or o.slices ~= nil
    or o.worst > 0
end

-- }========

-- {======== what the model said ========

local function bounded(p, number)
  if p ~= p then
    error(("evaluate: row %d: the model's answer is no number"):format(number),
      0)
  end
  return math.min(math.max(p, 0), 1)
end

--- Keeps probabilities of a batch's rows. What float32 made slightly more than
-- 1 or less than 0 is that.
-- @tparam table kept row number to probabilities
-- @tparam {int,...} numbers
-- @tparam {{number,...},...} rows
-- @raise when one is NaN
function detail.keep(kept, numbers, rows)
  for i, number in ipairs(numbers) do
    local row = rows[i]
    for label, p in ipairs(row) do row[label] = bounded(p, number) end
    kept[number] = row
  end
end

-- whether a row has a label, by its class or by its flags
local function has_label(target, label)
  if type(target) == "table" then return target[label] == 1 end
  return target == label - 1
end

local function verdicts_of(judged)
  local model, verdicts = judged.model, {}
  for i, target in ipairs(judged.targets) do
    verdicts[i] = model.problem.verdict(judged.found[i], target, model,
      judged.probabilities[i])
  end
  return verdicts
end

-- }========

-- {======== figures ========

local function intervals_of(judged, o)
  local of_row, k, scores = judged.model.problem.cells(judged.found,
    judged.targets, judged.model)
  local intervals = bootstrap.cells(of_row, k, scores,
    { resamples = o.resamples, seed = o.seed })
  for name, found in pairs(intervals) do
    intervals[name] = { low = found.low, high = found.high }
  end
  return intervals
end

-- Of several labels each pair of a row and a label says something; else the
-- label that is said.
local function confidence_of(judged, verdicts)
  local confidence, correct = {}, {}
  local function add(p, is_right)
    confidence[#confidence + 1], correct[#correct + 1] = p, is_right
  end
  for i, verdict in ipairs(verdicts) do
    if verdict.score then
      add(verdict.score, verdict.correct)
    else
      for label, p in ipairs(judged.probabilities[i]) do
        add(p, has_label(judged.targets[i], label))
      end
    end
  end
  return confidence, correct
end

local function filled(bins)
  local list = {}
  for _, bin in ipairs(bins) do
    if bin.count > 0 then
      list[#list + 1] = { low = bin.lower, high = bin.upper, n = bin.count,
        confidence = bin.confidence, accuracy = bin.accuracy }
    end
  end
  return list
end

-- of classes Brier's own, of flags the mean over pairs
local function brier_of(judged)
  local targets, probabilities = judged.targets, judged.probabilities
  if type(targets[1]) ~= "table" then
    return calibration.brier(probabilities, targets)
  end
  local sum, n = 0, 0
  for i, row in ipairs(probabilities) do
    for label, p in ipairs(row) do
      sum, n = sum + (p - targets[i][label]) ^ 2, n + 1
    end
  end
  return sum / n
end

local function add_reliability(report, judged, verdicts)
  local confidence, correct = confidence_of(judged, verdicts)
  local found = calibration.error(confidence, correct, { bins = BINS })
  report.reliability = filled(found.bins)
  report.ece = report.ece or found.ece
  report.brier = report.brier or brier_of(judged)
end

--- Adds to a report what was asked for.
-- @tparam table report as from `evaluate.run`
-- @tparam table judged `model`; `rows`, and of each the `found`, `targets` and
--   `probabilities`, if there are any
-- @tparam table o that `check` has seen
function detail.add(report, judged, o)
  local verdicts = verdicts_of(judged)
  if o.intervals then report.intervals = intervals_of(judged, o) end
  if o.reliability then add_reliability(report, judged, verdicts) end
  if o.ranking then
    local found = ranking.macro(judged.probabilities, function(i, label)
      return has_label(judged.targets[i], label)
    end)
    report.roc_auc, report.average_precision = found.roc_auc,
      found.average_precision
  end
  if o.slices then report.slices = slices.of(judged, verdicts, o) end
  if o.worst > 0 then
    report.worst = worst.of(judged, verdicts, o.worst, o.explain)
  end
end

-- }========

return detail
