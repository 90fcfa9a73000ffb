--- The measures of a report: their names for people and on the Hugging Face
-- hub, in the order in which a card shows them.
-- @module lunula.card.scores

local fields = require "lunula.report.fields"
local names = require "lunula.metrics.names"
local number = require "lunula.report.number"
local problem = require "lunula.problem"

local scores = {}

-- the hub's type of metric of each that has one
local HUB = { accuracy = "accuracy", macro_f1 = "f1", micro_f1 = "f1",
  weighted_f1 = "f1", samples_f1 = "f1", subset_accuracy = "accuracy",
  mcc = "matthews_correlation", mse = "mse", mae = "mae",
  pearson = "pearsonr", spearman = "spearmanr", r2 = "r_squared",
  brier = "brier_score", roc_auc = "roc_auc", perplexity = "perplexity" }

--- `{ name =, title =, hub = }`: the field of a report, what people call it,
-- and the hub's type of metric, where it has one.
scores.ALL = {}
for i, each in ipairs(names.ALL) do
  scores.ALL[i] = { name = each[1], title = fields.title(each[2]),
    hub = HUB[each[1]] }
end

-- a number that JSON could hold
local function is_number(value)
  return type(value) == "number" and value - value == 0
end

scores.is_number = is_number

--- The measures that a report has.
-- @tparam table report
-- @treturn {table,...} as `ALL`, each with its `value`
function scores.of(report)
  local found = {}
  for _, score in ipairs(scores.ALL) do
    if is_number(report[score.name]) then
      found[#found + 1] = { name = score.name, title = score.title,
        hub = score.hub, value = report[score.name] }
    end
  end
  return found
end

--- A value in words.
-- @string name of the measure
-- @param value what a document says it is
-- @treturn string "unknown" where it is no number
function scores.shown(name, value)
  if not is_number(value) then return "unknown" end
  if name == "perplexity" then return ("%.2f"):format(value) end
  return problem.shown(name, value)
end

--- An interval in words.
-- @string name of the measure
-- @param interval `{ low =, high = }`, or what a document has in its place
-- @treturn ?string nil where it is none
function scores.interval(name, interval)
  if type(interval) ~= "table" or not is_number(interval.low)
      or not is_number(interval.high) then
    return nil
  end
  return scores.shown(name, interval.low) .. " to "
    .. scores.shown(name, interval.high)
end

--- A count as people write it: 6,920.
-- @param n what a document says it is
-- @treturn string "unknown" where it is no number
function scores.count(n)
  return is_number(n) and number.count(n) or "unknown"
end

return scores
