--- lunula predict: what a model says of each text, as a line of JSON.
-- @module lunula.cli.predict

local arguments = require "lunula.cli.arguments"
local array = require("lunula.json").array
local json = require "lunula.cli.json"
local model = require "lunula.cli.model"
local predictions = require "lunula.predictions"
local texts = require "lunula.cli.texts"

local OPTIONS = {
  texts.options[1],
  { name = "text-pair", value = "COL",
    what = "column or field of a second text" },
  texts.options[2],
  { name = "max-length", type = "integer", value = "N", min = 2,
    what = "tokens read of a text; as it was trained when not given" },
  { name = "truncation", value = "HOW",
    choices = { "head", "tail", "head_tail", "windows" }, default = "head",
    what = "what is read of a longer text; windows: all" },
  { name = "stride", type = "integer", value = "N", min = 0,
    what = "tokens that two windows share; half of one else" },
  { name = "batch-size", type = "integer", value = "N", min = 1,
    what = "most texts of a batch (32)" },
  { name = "batch-tokens", type = "integer", value = "N", min = 2,
    what = "most tokens of a batch, instead" },
  { name = "min-score", type = "number", value = "X", min = 0, max = 1,
    what = 'mark answers of a lower score with "abstained":true' },
}

local predict = {
  name = "predict",
  summary = "print a line of JSON with the label of each text",
  positional = {
    { name = "MODEL", what = "folder that lunula train made" },
    texts.positional,
  },
  options = model.with_options(OPTIONS),
}

-- an object with the fields of its problem's answers, in their order
local function line_of(problem, text, pair, prediction)
  local names, present = { "text", "text_pair" }, {}
  for _, name in ipairs(problem.fields) do names[#names + 1] = name end
  names[#names + 1], names[#names + 2] = "abstained", "cut"
  prediction.text, prediction.text_pair = text, pair
  if prediction.labels then array(prediction.labels) end
  for _, name in ipairs(names) do
    if prediction[name] ~= nil then present[#present + 1] = name end
  end
  return json.object(prediction, present)
end

local function check(values)
  arguments.one_of(values, "batch-size", "batch-tokens")
  if values.stride and values.truncation ~= "windows" then
    arguments.wrong("--stride: only with --truncation windows")
  end
end

local function check_score(values, problem)
  if values.min_score and not predictions.has_score(problem) then
    arguments.wrong("--min-score: an answer of %s has no score", problem.name)
  end
end

--- Runs the command.
-- @tparam table values of its arguments
function predict.run(values)
  check(values)
  local classifier = model.load(values)
  check_score(values, classifier.problem)
  if values.max_length then classifier:set_max_length(values.max_length) end
  local how = { batch_size = values.batch_size,
    batch_tokens = values.batch_tokens, truncation = values.truncation,
    stride = values.stride, min_score = values.min_score }
  texts.answer(values, function(batch, pairs_of_batch)
    local lines = {}
    how.text_pairs = pairs_of_batch
    for i, prediction in ipairs(classifier:predict(batch, how)) do
      lines[i] = line_of(classifier.problem, batch[i],
        pairs_of_batch and pairs_of_batch[i], prediction)
    end
    return lines
  end)
end

return predict
