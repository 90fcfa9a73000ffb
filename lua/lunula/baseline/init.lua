--- What a model must beat to be worth its weights.
-- Two classifiers that know no language: one always gives the most frequent
-- label, the other weighs words and pairs of words. Both are trained on the
-- same rows as the model that is to be judged, in a second or so.
-- @module lunula.baseline

local check = require "lunula.check"
local features = require "lunula.baseline.features"
local labels = require "lunula.labels"
local logistic = require "lunula.baseline.logistic"
local metrics = require "lunula.metrics"
local opt = require "lunula.options"

local baseline = {}

local Baseline = {}
Baseline.__index = Baseline

local function fail(message, ...)
  error(message:format(...), 0)
end

local function with_labels_of(list, rows)
  local all = labels.of(rows)
  for _, label in ipairs(list) do all[#all + 1] = label end
  return labels.distinct(all)
end

--- The label of a text.
-- @function Baseline:predict
-- @string text
-- @tparam[opt] string text_pair
-- @treturn string one of the labels of the rows that it was trained on
function Baseline:predict(text, text_pair)
  if type(text) ~= "string" then
    fail("predict: expected a text, got %s", type(text))
  end
  return self.choose(text, text_pair)
end

--- How well it labels rows.
-- @function Baseline:evaluate
-- @tparam {table,...} rows as from `data.read`
-- @treturn table as from `metrics.report`, over the labels of these rows and
--   of those that it was trained on
-- @raise when there are no rows, or one has no text or label
function Baseline:evaluate(rows)
  labels.check_rows(rows, "baseline")
  local gold, predicted = {}, {}
  for i, row in ipairs(rows) do
    gold[i] = row.label
    predicted[i] = self.choose(row.text, row.text_pair)
  end
  return metrics.report(gold, predicted, with_labels_of(self.labels, rows))
end

local function new(list, choose)
  return setmetatable({ labels = list, choose = choose }, Baseline)
end

--- Always the most frequent label; the first by name of those equally so.
-- @tparam {table,...} rows to train on, as from `data.read`
-- @treturn Baseline
-- @raise when there are no rows, or one has no text or label
-- @usage local floor = baseline.majority(parts.train)
-- print(floor:evaluate(parts.test).accuracy)
function baseline.majority(rows)
  labels.check_rows(rows, "baseline")
  local list, count = labels.of(rows), {}
  for _, row in ipairs(rows) do
    count[row.label] = (count[row.label] or 0) + 1
  end
  local best = list[1]
  for _, label in ipairs(list) do
    if count[label] > count[best] then best = label end
  end
  return new(list, function() return best end)
end

local OPTIONS = {
  epochs = 5, learning_rate = 0.2, l2 = 1e-3, min_count = 1, seed = 0,
}

local function check_options(given)
  local o = opt.check(given, OPTIONS, "bag_of_words")
  for _, name in ipairs { "epochs", "min_count" } do
    check.integer(o[name], "bag_of_words: " .. name, { least = 1 })
  end
  check.number(o.learning_rate, "bag_of_words: learning_rate", { above = 0 })
  check.number(o.l2, "bag_of_words: l2", { least = 0 })
  check.integer(o.seed, "bag_of_words: seed")
  return o
end

-- classes of the rows, from 1
local function class_numbers(rows, list)
  local classes = labels.classes(rows, list, "bag_of_words")
  for i, class in ipairs(classes) do classes[i] = class + 1 end
  return classes
end

--- Logistic regression over words and pairs of neighbouring words.
-- Features are lower-cased, each counts once a text, weighted by inverse
-- document frequency.
-- @tparam {table,...} rows to train on, as from `data.read`
-- @tparam[opt] table options
-- @int[opt=5] options.epochs
-- @number[opt=0.2] options.learning_rate of AdaGrad
-- @number[opt=1e-3] options.l2 penalty on the weights
-- @int[opt=1] options.min_count leave out what fewer texts have
-- @int[opt=0] options.seed decides the order of the rows
-- @treturn Baseline
-- @raise when there are no rows, or one has no text or label
-- @usage local bag = baseline.bag_of_words(parts.train)
-- print(bag:predict("a quiet, lovely film"))
function baseline.bag_of_words(rows, options)
  labels.check_rows(rows, "baseline")
  options = check_options(options)
  local list = labels.of(rows)
  local vectors = {}
  for i, row in ipairs(rows) do
    vectors[i] = features.of(row.text, row.text_pair)
  end
  local vocabulary = features.vocabulary(vectors, options.min_count)
  for i = 1, #rows do vectors[i] = vocabulary:vector(vectors[i]) end
  local model = logistic.train(vectors, class_numbers(rows, list),
    vocabulary.size, #list, options)
  return new(list, function(text, text_pair)
    local vector = vocabulary:vector(features.of(text, text_pair))
    return list[model:best(vector)]
  end)
end

return baseline
