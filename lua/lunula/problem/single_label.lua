--- One of several labels a text: `row.label`.
-- @module lunula.problem.single_label

local calibration = require "lunula.metrics.calibration"
local cells = require "lunula.metrics.cells"
local labels = require "lunula.labels"
local metrics = require "lunula.metrics"
local names = require "lunula.problem.names"
local nn = require "lunula.nn"
local tensor = require "lunula.tensor"
local weights = require "lunula.problem.weights"

local single_label = {
  name = "single_label_classification",
  activation = "softmax", is_single = true,
  scores = { "n", "accuracy", "macro_f1", "weighted_f1", "mcc", "loss" },
  shown = { { "accuracy", "accuracy" }, { "macro_f1", "macro F1" } },
  metric = "accuracy", quality = "accuracy", rate = "accuracy",
  bounded = { "accuracy", "macro_f1" }, sliced = { "accuracy", "macro_f1" },
  measured = { "macro_precision", "macro_recall", "balanced_accuracy", "kappa",
    "ece", "brier", "roc_auc", "average_precision" },
  fields = { "label", "score", "scores" },
  label_type = "string",
  check_rows = labels.check_rows,
  check_learnable = labels.check_two,
  check_seen = labels.check_seen,
  labels = labels.of,
  targets = labels.classes,
}

function single_label.check_labels(list, what)
  labels.check(list, what)
end

function single_label.outputs(list)
  return #list
end

-- n / (k count): each label counts as much in all (King & Zeng 2001, as
-- scikit-learn's "balanced").
local function balanced(classes, list)
  local weight, count = {}, {}
  for _, class in ipairs(classes) do
    count[class] = (count[class] or 0) + 1
  end
  for i = 1, #list do
    weight[i] = count[i - 1] and #classes / (#list * count[i - 1]) or 1
  end
  return weight
end

function single_label.loss_options(classes, list, o)
  local weight = weights.of(o.class_weights, list, function()
    return balanced(classes, list)
  end)
  if (o.focal_gamma or 0) > 0 then
    return { weight = weight, gamma = o.focal_gamma }
  end
  return { weight = weight, label_smoothing = o.label_smoothing }
end

function single_label.begin()
end

--- The mean cross entropy, or focal loss.
-- @tparam tensor logits [n, labels]
-- @tparam {int,...} classes [n] from 0
-- @tparam[opt] table how options of `nn.cross_entropy` or, with a `gamma`, of
--   `nn.focal_loss`
-- @treturn tensor one number
function single_label.loss(logits, classes, how)
  local wanted = single_label.tensor(classes)
  if how and how.gamma then return nn.focal_loss(logits, wanted, how) end
  return nn.cross_entropy(logits, wanted, how)
end

function single_label.tensor(classes)
  return tensor.from(classes, "int32")
end

function single_label.weight(classes, how)
  if not how.weight then return #classes end
  local sum = 0
  for _, class in ipairs(classes) do sum = sum + how.weight[class + 1] end
  return sum
end

function single_label.read(logits)
  local _, best = logits:max(2)
  return best:totable()
end

function single_label.tune()
end

single_label.report = names.report(metrics.report)

function single_label.cells(found, classes, model)
  return cells.of_classes(found, classes, #model.labels)
end

-- The macro F1 of the labels that occur in the part.
function single_label.part(found, classes, model)
  local report = metrics.report(names.of(classes, model.labels),
    names.of(found, model.labels))
  return { accuracy = report.accuracy, macro_f1 = report.macro_f1 }
end

function single_label.verdict(found, class, model, probabilities)
  return {
    label = model.labels[class + 1], predicted = model.labels[found + 1],
    correct = found == class, score = probabilities[found + 1],
    loss = calibration.surprise(probabilities[class + 1]),
  }
end

function single_label.choose(probabilities)
  local best = 1
  for i, probability in ipairs(probabilities) do
    if probability > probabilities[best] then best = i end
  end
  return best
end

function single_label.answer(numbers, model)
  local best, scores = single_label.choose(numbers), {}
  for i, label in ipairs(model.labels) do scores[label] = numbers[i] end
  return {
    label = model.labels[best], score = numbers[best], scores = scores,
  }
end

function single_label.probabilities(logits)
  return logits:softmax(-1)
end

function single_label.read_config(config, where)
  return names.read(config, where)
end

function single_label.write_config(config, model)
  config.problem_type = single_label.name
  names.write(config, model.labels)
end

return single_label
