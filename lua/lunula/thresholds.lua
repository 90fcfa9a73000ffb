--- From which probability on a label of a multi-label model is said.
-- 0.5 at first; `train` tunes them on its validation rows. They are saved with
-- the model.
-- @module lunula.thresholds

local check = require "lunula.check"
local evaluate = require "lunula.evaluate"
local options = require "lunula.options"
local sampler = require "lunula.sampler"

local thresholds = {}

local RANGE = { least = 0, most = 1 }

local function check_model(model, what)
  check.classifier(model, what)
  if not model.problem.threshold then
    error(("%s: expected a model of multi_label_classification, got one of %s")
      :format(what, model.problem.name), 0)
  end
end

--- The thresholds of a model.
-- @tparam classifier model
-- @treturn table label to number
-- @raise when it is no multi-label model
-- @usage print(thresholds.of(model).joy)
function thresholds.of(model)
  check_model(model, "thresholds.of")
  local by_label = {}
  for i, label in ipairs(model.labels) do
    by_label[label] = model.problem.threshold(model, i)
  end
  return by_label
end

local function check_known(given, labels)
  local known = {}
  for _, label in ipairs(labels) do known[label] = true end
  for label, value in pairs(given) do
    local what = "thresholds.set: " .. tostring(label)
    if not known[label] then error(what .. ": no label of this model", 0) end
    check.number(value, what, RANGE)
  end
end

--- Sets thresholds.
-- @tparam classifier model
-- @tparam number|table given one for all labels, or label to number; others
--   stay as they are
-- @raise on a label that the model has not, a number that is not 0 to 1
-- @usage thresholds.set(model, { joy = 0.3 })
function thresholds.set(model, given)
  check_model(model, "thresholds.set")
  local all = {}
  if type(given) == "table" then
    check_known(given, model.labels)
  else
    check.number(given, "thresholds.set", RANGE)
  end
  for i, label in ipairs(model.labels) do
    local own = given
    if type(given) == "table" then own = given[label] end
    all[i] = own or model.problem.threshold(model, i)
  end
  model.thresholds = all
end

--- Gives each label the threshold at which its F1 on rows is highest (SCut;
-- Yang 2001; Fan & Lin 2007), the middle of a gap between two probabilities.
-- A label that none of them has gets 0.5. Take rows that the model has not
-- learnt from, and others to judge it by.
-- @tparam classifier model of multi_label_classification
-- @tparam {table,...} rows as from `data.read`
-- @tparam[opt] table given
-- @int[opt=32] given.batch_size most rows of a batch
-- @treturn table the report on these rows, as of `evaluate`
-- @raise when there are no rows, or a label is not one of the model's
-- @usage thresholds.tune(model, parts.validation)
function thresholds.tune(model, rows, given)
  local what = "thresholds.tune"
  local o = options.check(given, { batch_size = 32 }, what)
  check_model(model, what)
  sampler.check(o, what)
  local prepared = evaluate.prepare(model, rows, what)
  prepared.tune = true
  return evaluate.run(model, prepared, o)
end

return thresholds
