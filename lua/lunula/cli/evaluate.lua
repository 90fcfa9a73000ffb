--- lunula evaluate: how a model does on labelled texts.
-- @module lunula.cli.evaluate

local arguments = require "lunula.cli.arguments"
local bars = require "lunula.evaluate.bars"
local guarded = require "lunula.cli.guarded"
local json = require "lunula.cli.json"
local labels = require "lunula.labels"
local layout = require "lunula.evaluate.layout"
local model = require "lunula.cli.model"
local output = require "lunula.cli.output"
local rows = require "lunula.cli.rows"

local WORST = 10  -- in the figures, when nobody says

local OPTIONS = {
  { name = "slice", type = "list", value = "COL,...",
    what = "judge the texts of each value in these columns, too" },
  { name = "slice-least", type = "integer", value = "N", min = 1, default = 20,
    what = "take values of fewer texts together" },
  { name = "worst", type = "integer", value = "N", min = 0,
    what = "show so many of the worst answers (none; 10 in the figures)" },
  { name = "explain", type = "boolean", what = "say in the figures what each "
    .. "word of these says for the answer" },
  { name = "require", type = "list", value = "NAME=X,...",
    what = "fail when a score is worse: accuracy=0.9, ece<=0.05, "
      .. "slice_accuracy=0.8 (the worst slice)" },
  { name = "json", value = "FILE", what = "write the figures there" },
}
for i, option in ipairs(rows.options) do table.insert(OPTIONS, i, option) end

local evaluate = {
  name = "evaluate",
  summary = "judge a model by labelled texts",
  positional = {
    { name = "MODEL", what = "folder that lunula train made" },
    { name = "F", what = "labelled texts: .csv, .tsv or .jsonl" },
  },
  options = model.with_options(OPTIONS),
}

-- {======== what is required ========

local function check_name(bar, kind, values)
  local known = bars.names(kind)
  for _, name in ipairs(known) do
    if name == bar.name then
      if bars.is_of_slices(name) and not values.slice then
        arguments.wrong("--require %s: only with --slice", name)
      end
      return
    end
  end
  arguments.wrong("--require: a report has no '%s'; known: %s", bar.name,
    table.concat(known, ", "))
end

local function parse_bars(values)
  local list = {}
  for i, text in ipairs(values.require or {}) do
    list[i] = bars.parse(text) or arguments.wrong("--require: expected such as "
      .. "accuracy=0.9 or ece<=0.05, got '%s'", text)
  end
  return list
end

-- }========

local function check_columns(values)
  for _, column in ipairs(values.slice or {}) do
    if #labels.distinct(values.slice) < #values.slice then
      arguments.wrong("--slice: '%s' comes twice", column)
    end
  end
end

local function how(values, kind)
  local has_probabilities = kind.probabilities ~= nil
  return {
    intervals = true, reliability = has_probabilities,
    ranking = has_probabilities, slices = values.slice,
    slice_least = values.slice_least, worst = values.worst or WORST,
    explain = values.explain,
  }
end

local function read(lunula, values, kind)
  local columns = rows.columns(values, kind)
  columns.keep = values.slice
  return lunula.data.read(values.f, columns)
end

local function write(values, report, checked)
  if not values.json then return end
  report.kind, report.model, report.file = "evaluation", values.model, values.f
  report.required = #checked > 0 and checked or nil
  json.write(values.json, report)
end

--- Runs the command.
-- @tparam table values of its arguments
-- @raise when a score that is required is missed
function evaluate.run(values)
  check_columns(values)
  local lunula, wanted = require "lunula", parse_bars(values)
  guarded.check_file(values, "json")
  local classifier = model.load(values)
  local kind = classifier.problem
  for _, bar in ipairs(wanted) do check_name(bar, kind, values) end
  local report = lunula.evaluate(classifier, read(lunula, values, kind),
    how(values, kind))
  output.line(tostring(report) .. layout.sections(report, values.worst))
  output.flush()
  local checked = bars.check(wanted, report)
  write(values, report, checked)
  local missed = bars.missed(checked)
  if missed then error("--require: " .. missed, 0) end
end

return evaluate
