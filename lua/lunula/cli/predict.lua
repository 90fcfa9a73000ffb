--- lunula predict: a label for each text, as a line of JSON.
-- @module lunula.cli.predict

local fetch = require "lunula.cli.fetch"
local json = require "lunula.cli.json"
local texts = require "lunula.cli.texts"

local predict = {
  name = "predict",
  summary = "print a line of JSON with the label of each text",
  positional = {
    { name = "MODEL", what = "folder that lunula train made" },
    texts.positional,
  },
  options = texts.options,
}

local FIELDS = { "text", "label", "score", "scores" }

--- Runs the command.
-- @tparam table values of its arguments
function predict.run(values)
  local lunula = require "lunula"
  local model = lunula.classifier(fetch.model(values.model))
  texts.answer(values, function(batch)
    local lines = {}
    for i, prediction in ipairs(model:predict(batch)) do
      lines[i] = json.object({ text = batch[i], label = prediction.label,
        score = prediction.score, scores = prediction.scores }, FIELDS)
    end
    return lines
  end)
end

return predict
