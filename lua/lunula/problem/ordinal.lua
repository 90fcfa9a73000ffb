--- One of several labels that have an order: `row.label`.
-- CORAL (Cao, Mirjalili & Raschka 2020, "Rank consistent ordinal regression for
-- neural networks with application to age estimation"): for each label but the
-- last, an output whose sigmoid is the probability that the text has a higher
-- one. All outputs share their weights and differ in their bias, so that these
-- probabilities fall from label to label. The label that is said is the one
-- that they leave as the median: as many are above 0.5 as there are lower ones.
--
-- For transformers a saved model is one of `multi_label_classification`, its
-- labels "above LABEL"; `classifier_problem_type` and `classifier_labels` say
-- what it is.
-- @module lunula.problem.ordinal

local cells = require "lunula.metrics.cells"
local check = require "lunula.check"
local labels = require "lunula.labels"
local metrics = require "lunula.metrics"
local names = require "lunula.problem.names"
local nn = require "lunula.nn"
local single_label = require "lunula.problem.single_label"
local tensor = require "lunula.tensor"
local weights = require "lunula.problem.weights"

local ordinal = {
  name = "ordinal",
  activation = "sigmoid",
  scores = { "n", "accuracy", "macro_f1", "weighted_f1", "mcc", "mae",
    "quadratic_kappa", "loss" },
  shown = { { "accuracy", "accuracy" }, { "mae", "MAE" } },
  metric = "mae", quality = "accuracy", rate = "accuracy",
  bounded = { "accuracy", "macro_f1", "mae", "quadratic_kappa" },
  sliced = { "accuracy", "macro_f1", "mae" },
  measured = single_label.measured, verdict = single_label.verdict,
  fields = { "label", "score", "scores" },
  label_type = "string",
  shares_weights = true,
  check_rows = labels.check_rows,
  check_learnable = labels.check_two,
  check_seen = labels.check_seen,
  targets = labels.classes,
}

-- {======== rows ========

--- The labels of rows in their order, where they tell it: numbers.
-- @tparam {table,...} rows
-- @treturn {string,...}
-- @raise when a label is no number
function ordinal.labels(rows)
  local list, number = labels.of(rows), {}
  for _, label in ipairs(list) do
    number[label] = tonumber(label)
    if not number[label] then
      error(("ordinal: which order do the labels have? Name them, the lowest "
        .. "first; there are: %s"):format(labels.listed(list)), 0)
    end
  end
  table.sort(list, function(a, b) return number[a] < number[b] end)
  return list
end

function ordinal.check_labels(list, what)
  labels.check(list, what)
end

function ordinal.outputs(list)
  return #list - 1
end

-- }========

-- {======== learning ========

function ordinal.loss_options(_, _, o)
  weights.refuse(o, { "class_weights", "label_smoothing", "focal_gamma" },
    "ordinal labels")
  return {}
end

-- A new head begins with what the rows' labels say of a text that is not known:
-- the log odds of more than each.
function ordinal.begin(head, targets)
  if not head.is_new then return end
  local bias = {}
  for k = 1, #head.bias do
    local above = 0
    for _, rank in ipairs(targets) do
      if rank >= k then above = above + 1 end
    end
    bias[k] = math.log((above + 0.5) / (#targets - above + 0.5))
  end
  head.bias:copy(tensor.from(bias))
end

--- The sum of the outputs' binary cross entropies, its mean over rows.
-- @tparam tensor logits [n, labels - 1]
-- @tparam {int,...} ranks [n] from 0
-- @treturn tensor one number
function ordinal.loss(logits, ranks)
  local outputs, wanted = logits:shape()[2], {}
  for i, rank in ipairs(ranks) do
    local flags = {}
    for k = 1, outputs do flags[k] = rank >= k and 1 or 0 end
    wanted[i] = flags
  end
  return outputs
    * nn.binary_cross_entropy_with_logits(logits, tensor.from(wanted))
end

function ordinal.tensor(ranks)
  return tensor.from(ranks, "int32")
end

function ordinal.weight(ranks)
  return #ranks
end

-- }========

-- {======== answering ========

-- The rank, from 0, that probabilities of more than each label leave.
local function rank_of(above)
  local rank = 0
  for _, probability in ipairs(above) do
    if probability <= 0.5 then break end
    rank = rank + 1
  end
  return rank
end

function ordinal.read(logits)
  local ranks = {}
  for i, above in ipairs(logits:sigmoid():totable()) do
    ranks[i] = rank_of(above)
  end
  return ranks
end

function ordinal.tune()
end

ordinal.report = names.report(metrics.ordinal)

function ordinal.cells(found, ranks, model)
  return cells.of_ranks(found, ranks, #model.labels)
end

-- The macro F1 is that of the labels that occur in the part.
function ordinal.part(found, ranks, model)
  local scores, sum = single_label.part(found, ranks, model), 0
  for i, rank in ipairs(ranks) do sum = sum + math.abs(rank - found[i]) end
  scores.mae = sum / #ranks
  return scores
end

-- The probability of each label. Those of more must not rise on their way up,
-- which weights that are not shared, and biases out of order, may do.
local function differences(above)
  local list, before = {}, 1
  for k, probability in ipairs(above) do
    local next_one = math.min(before, probability)
    list[k], before = before - next_one, next_one
  end
  list[#list + 1] = before
  return list
end

function ordinal.answer(numbers, model)
  local list, scores = differences(numbers), {}
  local rank = rank_of(numbers)
  for i, label in ipairs(model.labels) do scores[label] = list[i] end
  return {
    label = model.labels[rank + 1], score = list[rank + 1], scores = scores,
  }
end

function ordinal.probabilities(logits)
  local above, n = logits:sigmoid(), #logits
  return tensor.concat({ tensor.ones { n, 1 }, above }, 2)
    - tensor.concat({ above, tensor.zeros { n, 1 } }, 2)
end

function ordinal.choose(probabilities)
  local sum = 0
  for i, probability in ipairs(probabilities) do
    sum = sum + probability
    if sum >= 0.5 then return i end
  end
  return #probabilities
end

-- }========

-- {======== folders ========

function ordinal.read_config(config, where)
  local list = check.table(config.classifier_labels,
    where .. ": classifier_labels")
  labels.check(list, where .. ": classifier_labels")
  return list
end

function ordinal.write_config(config, model)
  local outputs = {}
  for k = 1, #model.labels - 1 do outputs[k] = "above " .. model.labels[k] end
  config.problem_type = "multi_label_classification"
  config.classifier_problem_type = ordinal.name
  config.classifier_labels = model.labels
  names.write(config, outputs)
end

-- }========

return ordinal
