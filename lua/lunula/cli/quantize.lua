--- lunula quantize: a model in 8 bits.
-- @module lunula.cli.quantize

local arguments = require "lunula.cli.arguments"
local counted = require "lunula.counted"
local fetch = require "lunula.cli.fetch"
local output = require "lunula.cli.output"
local problem = require "lunula.problem"
local record = require "lunula.card.record"
local rows = require "lunula.cli.rows"

local quantize = {
  name = "quantize",
  summary = "write a model in 8 bits: four times smaller, and faster",
  positional = {
    { name = "MODEL", what = "folder that lunula train made" },
  },
  options = {
    { name = "output", value = "DIR", required = true,
      what = "folder of the quantized model" },
    { name = "check", value = "F",
      what = "labelled texts: measure what accuracy it costs" },
    rows.options[1], rows.options[2], rows.options[3], rows.options[4],
    { name = "max-drop", type = "number", value = "POINTS", min = 0,
      what = "write nothing where more is lost (0.5)" },
  },
}

local function show(result)
  local name = result.score
  output.line(("%s before %s, after %s (%s)"):format(name,
    problem.shown(name, result.before), problem.shown(name, result.after),
    counted(result.n, "text")))
  output.flush()
end

--- Runs the command.
-- @tparam table values of its arguments
function quantize.run(values)
  local lunula = require "lunula"
  for _, option in ipairs { "text", "text-pair", "label", "label-separator",
      "max-drop" } do
    arguments.needs(values, option, "check")
  end
  local folder = fetch.model(values.model)
  local model = lunula.classifier(folder)
  local check = values.check and lunula.data.read(values.check,
    rows.columns(values, model.problem))
  lunula.quantize(model, values.output,
    { check = check, max_drop = values.max_drop, on_check = show })
  record.copy(folder, values.output)
  output.line(values.output)
end

return quantize
