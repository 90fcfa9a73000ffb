--- The names of labels: those of classes, and those in a folder's config.json,
-- as transformers has them.
-- @module lunula.problem.names

local labels = require "lunula.labels"

local names = {}

--- The labels of classes.
-- @tparam {int,...} classes from 0
-- @tparam {string,...} list all labels
-- @treturn {string,...}
function names.of(classes, list)
  local said = {}
  for i, class in ipairs(classes) do said[i] = list[class + 1] end
  return said
end

--- A `report` of `lunula.problem` for labels of which a text has one.
-- @tparam func measure of the right labels, those that were said, and all
-- @treturn func of classes that were said, right classes and a model
function names.report(measure)
  return function(found, classes, model)
    return measure(names.of(classes, model.labels),
      names.of(found, model.labels), model.labels)
  end
end

--- Reads `id2label`.
-- @tparam table config
-- @string where the file, for messages
-- @int[opt=2] least how many there must be
-- @treturn {string,...}
-- @raise when there are fewer, or one comes twice
function names.read(config, where, least)
  local given, list = config.id2label, {}
  if type(given) ~= "table" then
    error(where .. ": a classifier without id2label", 0)
  end
  while type(given[tostring(#list)]) == "string" do
    list[#list + 1] = given[tostring(#list)]
  end
  labels.check(list, where, least)
  return list
end

--- Writes `id2label`, `label2id` and `num_labels`.
-- @tparam table config
-- @tparam {string,...} list
function names.write(config, list)
  local id2label, label2id = {}, {}
  for i, label in ipairs(list) do
    id2label[tostring(i - 1)], label2id[label] = label, i - 1
  end
  config.id2label, config.label2id = id2label, label2id
  config.num_labels = #list
end

return names
