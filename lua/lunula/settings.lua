--- Flat options: those of a classifier and those of its training in one table.
-- So the command line, sweeps and recipes have them. An option is the
-- classifier's where `lunula.classifier` knows its name, else the training's;
-- the seed is of both.
-- @module lunula.settings

local classifier = require "lunula.classifier"
local problem = require "lunula.problem"

local settings = {}

-- what a classifier knows and no training says of it: its labels are those of
-- the rows, its precision and its queue are for answers
local OF_ANSWERS = { labels = true, precision = true, queue_capacity = true }

local function is_of_model(name)
  return classifier.options[name] ~= nil and not OF_ANSWERS[name]
end

--- Options by who takes them.
-- @tparam table given of `lunula.classifier` and `lunula.train`
-- @treturn table those of the classifier
-- @treturn table those of the training
-- @usage local of_model, of_training = settings.split(options)
function settings.split(given)
  local of_model, of_training = {}, {}
  for name, value in pairs(given) do
    (is_of_model(name) and of_model or of_training)[name] = value
  end
  of_training.seed = given.seed
  return of_model, of_training
end

--- A classifier for the labels of rows.
-- @string name_or_dir as for `lunula.classifier`
-- @tparam {table,...} rows to learn from
-- @tparam table given flat options
-- @tparam[opt] {string,...} labels those of the rows when not given, but of
--   ordinal ones, whose order only numbers tell
-- @treturn classifier
-- @raise as `lunula.classifier`
-- @usage local model = settings.model(dir, rows, { dropout = 0.2 })
function settings.model(name_or_dir, rows, given, labels)
  local of_model = settings.split(given)
  local kind = problem.of(of_model.problem_type, "classifier")
  of_model.labels = labels or kind.labels(rows)
  return classifier(name_or_dir, of_model)
end

return settings
