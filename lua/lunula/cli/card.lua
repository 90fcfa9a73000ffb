--- lunula card: a model's card, as README.md of its folder.
-- @module lunula.cli.card

local arguments = require "lunula.cli.arguments"
local footprint = require "lunula.card.footprint"
local output = require "lunula.cli.output"
local rows = require "lunula.cli.rows"

local card = {
  name = "card",
  summary = "write what is known of a model, and what is not, as its README",
  positional = {
    { name = "MODEL", optional = true,
      what = "folder that lunula train made" },
  },
  options = arguments.joined { {
    { name = "data", value = "F",
      what = "data.json: what only people know of model and data" },
    { name = "template", value = "F",
      what = "write an empty data.json there, with its questions" },
    { name = "train-json", value = "F",
      what = "what lunula train --json wrote; over the folder's record" },
    { name = "evaluation", value = "F,F,...", type = "list",
      what = "what lunula evaluate --json wrote" },
    { name = "training-data", value = "F,F,...", type = "list",
      what = "texts it learnt from, where the training noted none" },
  }, rows.options, {
    { name = "watts", type = "number", value = "W", min = 0,
      default = footprint.WATTS,
      what = "that the machine is assumed to draw" },
    { name = "grid-intensity", type = "number", value = "G", min = 0,
      default = footprint.INTENSITY,
      what = "grams of CO2 a kWh that are assumed" },
    { name = "force", type = "boolean",
      what = "over a README.md that lunula card has not written" },
  } },
}

--- Runs the command.
-- @tparam table values of its arguments
function card.run(values)
  if not values.model and not values.template then
    arguments.wrong("MODEL is missing: %s", arguments.usage(card))
  end
  local lunula = require "lunula"
  if values.template then
    lunula.card.template(values.template, values.force)
    output.line(values.template)
  end
  if not values.model then return end
  output.line(lunula.card.write(values.model, {
    data = values.data, training = values.train_json,
    evaluation = values.evaluation, training_data = values.training_data,
    columns = { text = values.text, text_pair = values.text_pair,
      label = values.label, label_separator = values.label_separator },
    watts = values.watts, grid_intensity = values.grid_intensity,
    force = values.force,
  }))
end

return card
