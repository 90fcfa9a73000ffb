--- lunula evaluate: how a model does on labelled texts.
-- @module lunula.cli.evaluate

local json = require "lunula.cli.json"
local model = require "lunula.cli.model"
local output = require "lunula.cli.output"

local evaluate = {
  name = "evaluate",
  summary = "judge a model by labelled texts",
  positional = {
    { name = "MODEL", what = "folder that lunula train made" },
    { name = "F", what = "labelled texts: .csv, .tsv or .jsonl" },
  },
  options = model.with_options {
    { name = "text", value = "COL", what = "column or field of the text" },
    { name = "label", value = "COL", what = "column or field of the label" },
    { name = "json", value = "FILE", what = "write the figures there" },
  },
}

--- Runs the command.
-- @tparam table values of its arguments
function evaluate.run(values)
  local lunula = require "lunula"
  json.check_place(values.json)
  local rows = lunula.data.read(values.f,
    { text = values.text, label = values.label })
  local report = lunula.evaluate(model.load(values), rows)
  output.line(tostring(report))
  output.flush()
  if values.json then json.write(values.json, report) end
end

return evaluate
