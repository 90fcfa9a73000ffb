--- lunula evaluate: how a model does on labelled texts.
-- @module lunula.cli.evaluate

local json = require "lunula.cli.json"
local model = require "lunula.cli.model"
local output = require "lunula.cli.output"
local rows = require "lunula.cli.rows"

local OPTIONS = { { name = "json", value = "FILE",
  what = "write the figures there" } }
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

--- Runs the command.
-- @tparam table values of its arguments
function evaluate.run(values)
  local lunula = require "lunula"
  json.check_place(values.json)
  local classifier = model.load(values)
  local report = lunula.evaluate(classifier, lunula.data.read(values.f,
    rows.columns(values, classifier.problem)))
  output.line(tostring(report))
  output.flush()
  if values.json then json.write(values.json, report) end
end

return evaluate
