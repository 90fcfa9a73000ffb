--- Flat options: those of a classifier and those of its training in one table.
-- So the command line, sweeps and recipes have them. An option is the
-- classifier's where `lunula.classifier` knows its name, else the training's;
-- the seed is of both.
-- @module lunula.settings

local checkpoint = require "lunula.checkpoint"
local classifier = require "lunula.classifier"
local files = require("lunula.core").io
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

--- The type of problem that is learnt: the one that is given, else that of the
-- head with which a folder goes on.
-- @string folder that of a model; what is none has no head yet
-- @tparam table given flat options
-- @treturn table a type of `lunula.problem`
-- @raise when there is no such type, or the folder can't be read
-- @usage local kind = settings.problem(dir, { problem_type = "ordinal" })
function settings.problem(folder, given)
  if given.problem_type or given.new_head
      or files.stat(folder .. "/config.json") ~= "file" then
    return problem.of(given.problem_type, "classifier")
  end
  return problem.of_folder(checkpoint.read(folder))
end

--- Where the rows of a type of problem stand in a file.
-- @tparam table given `text`, `text_pair`, `label`: columns or fields;
--   `label_separator`, the type's own when not given
-- @tparam table kind a type of `lunula.problem`
-- @treturn table options of `lunula.data.read`
-- @usage local rows = data.read(path, settings.columns({}, kind))
function settings.columns(given, kind)
  return {
    text = given.text, text_pair = given.text_pair, label = given.label,
    label_separator = kind.separator
      and (given.label_separator or kind.separator),
    label_type = kind.label_type,
  }
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
  of_model.labels = labels or settings.problem(name_or_dir, given).labels(rows)
  return classifier(name_or_dir, of_model)
end

return settings
