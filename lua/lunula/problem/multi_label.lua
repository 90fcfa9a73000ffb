--- Several labels a text, or one, or none: `row.labels`, an array.
-- Each label has an output of its own, whose sigmoid is its probability; those
-- at or above their label's threshold are the answer. Thresholds are 0.5 at
-- first. Rows that were not learnt from give better ones: of each label the one
-- with the highest F1 (SCut; Yang 2001; Fan & Lin 2007, "A study on threshold
-- selection for multi-label classification").
-- @module lunula.problem.multi_label

local calibration = require "lunula.metrics.calibration"
local cells = require "lunula.metrics.cells"
local check = require "lunula.check"
local json = require "lunula.json"
local labels = require "lunula.labels"
local metrics = require "lunula.metrics"
local names = require "lunula.problem.names"
local nn = require "lunula.nn"
local single_label = require "lunula.problem.single_label"
local tensor = require "lunula.tensor"
local weights = require "lunula.problem.weights"

local THRESHOLD = 0.5

local multi_label = {
  name = "multi_label_classification",
  activation = "sigmoid",
  scores = { "n", "macro_f1", "micro_f1", "samples_f1", "weighted_f1",
    "subset_accuracy", "loss" },
  shown = { { "macro_f1", "macro F1" }, { "micro_f1", "micro F1" } },
  metric = "macro_f1", quality = "macro_f1", rate = "subset_accuracy",
  bounded = { "macro_f1", "micro_f1", "samples_f1", "subset_accuracy" },
  sliced = { "subset_accuracy", "micro_f1" },
  measured = { "macro_precision", "macro_recall", "micro_precision",
    "micro_recall", "hamming_loss", "ece", "brier", "roc_auc",
    "average_precision" },
  fields = { "labels", "scores" },
  label_type = "string", separator = ",",
  labels = labels.of, choose = single_label.choose,
}

local function fail(message, ...)
  error(message:format(...), 0)
end

-- {======== rows ========

function multi_label.check_rows(rows, what)
  labels.check_texts(rows, what)
  for i, row in ipairs(rows) do
    if type(row.labels) ~= "table" then
      fail("%s: labels: expected an array of strings, got %s",
        labels.place(rows, i, what), type(row.labels))
    end
    for _, label in ipairs(row.labels) do
      if type(label) ~= "string" then
        fail("%s: labels: expected strings, got %s",
          labels.place(rows, i, what), type(label))
      end
    end
  end
end

function multi_label.check_learnable(rows, what)
  for _, row in ipairs(rows) do
    if #row.labels > 0 then return end
  end
  fail("%s: none of %d rows has a label", what, #rows)
end

function multi_label.check_seen(rows, train, what)
  local seen = {}
  for _, row in ipairs(train) do
    for _, label in ipairs(row.labels) do seen[label] = true end
  end
  for i, row in ipairs(rows) do
    for _, label in ipairs(row.labels) do
      if not seen[label] then labels.refuse_unseen(rows, i, label, what) end
    end
  end
end

function multi_label.check_labels(list, what)
  labels.check(list, what, 1)
end

function multi_label.outputs(list)
  return #list
end

local function flags_of(rows, i, number, list, what)
  local flags = {}
  for j = 1, #list do flags[j] = 0 end
  for _, label in ipairs(rows[i].labels) do
    flags[number[label]
      or labels.refuse_unknown(rows, i, label, list, what)] = 1
  end
  return flags
end

function multi_label.targets(rows, list, what)
  local number, targets = {}, {}
  for i, label in ipairs(list) do number[label] = i end
  for i = 1, #rows do
    targets[i] = flags_of(rows, i, number, list, what)
  end
  return targets
end

-- }========

-- {======== learning ========

-- Rows without a label for each one with it: both sides count as much.
local function balanced(targets, list)
  local weight = {}
  for j = 1, #list do
    local count = 0
    for _, flags in ipairs(targets) do count = count + flags[j] end
    weight[j] = count > 0 and count < #targets and (#targets - count) / count
      or 1
  end
  return weight
end

function multi_label.loss_options(targets, list, o)
  weights.refuse(o, { "focal_gamma" }, "several labels")
  return {
    pos_weight = weights.of(o.class_weights, list, function()
      return balanced(targets, list)
    end),
    label_smoothing = o.label_smoothing,
  }
end

function multi_label.begin()
end

--- The mean binary cross entropy of all pairs of a row and a label.
-- @tparam tensor logits [n, labels]
-- @tparam {{number,...},...} targets [n, labels], 0 to 1
-- @tparam[opt] table how `pos_weight`, one for each label; `label_smoothing`
-- @treturn tensor one number
function multi_label.loss(logits, targets, how)
  local wanted = tensor.from(targets)
  local smoothing = how and how.label_smoothing or 0
  if smoothing > 0 then
    wanted = wanted * (1 - smoothing) + smoothing / 2
  end
  return nn.binary_cross_entropy_with_logits(logits, wanted,
    { pos_weight = how and how.pos_weight })
end

function multi_label.tensor(targets)
  return tensor.from(targets)
end

function multi_label.weight(targets)
  return #targets
end

-- }========

-- {======== thresholds ========

function multi_label.threshold(model, i)
  return model.thresholds and model.thresholds[i] or THRESHOLD
end

-- Scores of a label, the highest first, with what is right.
local function sorted_scores(found, targets, label)
  local list = {}
  for row, numbers in ipairs(found) do
    list[row] = { score = numbers[label], right = targets[row][label] }
  end
  table.sort(list, function(a, b) return a.score > b.score end)
  return list
end

-- The middle of the gap below the scores that are taken for the best F1; of
-- equally good ones, the gap nearest to the usual threshold. nil when no row
-- has the label: nothing tells.
local function best_threshold(list)
  local positive, right, best, threshold = 0, 0, 0, nil
  for _, entry in ipairs(list) do positive = positive + entry.right end
  for taken, entry in ipairs(list) do
    right = right + entry.right
    local below = list[taken + 1] and list[taken + 1].score or 0
    local f1 = 2 * right / (positive + taken)
    if below < entry.score then
      local middle = (entry.score + below) / 2
      local nearer = f1 == best and threshold
        and math.abs(middle - THRESHOLD) < math.abs(threshold - THRESHOLD)
      if f1 > best or nearer then best, threshold = f1, middle end
    end
  end
  return threshold
end

--- Gives each label of a model the threshold at which its F1 is highest.
-- @tparam table model its `thresholds` become others
-- @tparam {{number,...},...} found probabilities [rows, labels]
-- @tparam {{int,...},...} targets [rows, labels]
function multi_label.tune(model, found, targets)
  local thresholds = {}
  for i = 1, #model.labels do
    thresholds[i] = best_threshold(sorted_scores(found, targets, i))
      or THRESHOLD
  end
  model.thresholds = thresholds
end

-- }========

-- {======== answering ========

function multi_label.read(logits)
  return logits:sigmoid():totable()
end

-- 1 for each label that is said, else 0
local function said_flags(numbers, model)
  local flags = {}
  for i, number in ipairs(numbers) do
    flags[i] = number >= multi_label.threshold(model, i) and 1 or 0
  end
  return flags
end

local function all_said(found, model)
  local predicted = {}
  for row, numbers in ipairs(found) do
    predicted[row] = said_flags(numbers, model)
  end
  return predicted
end

function multi_label.report(found, targets, model)
  return metrics.multi_label.of_flags(targets, all_said(found, model),
    model.labels)
end

function multi_label.cells(found, targets, model)
  return cells.of_flags(all_said(found, model), targets)
end

function multi_label.part(found, targets, model)
  local report = multi_label.report(found, targets, model)
  return { subset_accuracy = report.subset_accuracy,
    micro_f1 = report.micro_f1 }
end

local function labels_of(flags, model)
  local set = json.array()
  for i, flag in ipairs(flags) do
    if flag == 1 then set[#set + 1] = model.labels[i] end
  end
  return set
end

-- The loss is the mean over labels; no label is the one that is said.
function multi_label.verdict(found, flags, model)
  local said, loss, correct = said_flags(found, model), 0, true
  for i, flag in ipairs(flags) do
    loss = loss + calibration.surprise(flag == 1 and found[i] or 1 - found[i])
    correct = correct and flag == said[i]
  end
  return { label = labels_of(flags, model), predicted = labels_of(said, model),
    correct = correct, loss = loss / #flags }
end

function multi_label.answer(numbers, model)
  local said, scores = {}, {}
  for i, label in ipairs(model.labels) do
    scores[label] = numbers[i]
    if numbers[i] >= multi_label.threshold(model, i) then
      said[#said + 1] = label
    end
  end
  return { labels = said, scores = scores }
end

function multi_label.probabilities(logits)
  return logits:sigmoid()
end

-- }========

-- {======== folders ========

local function read_thresholds(config, list, where)
  local given = config.classifier_thresholds
  if given == nil or given == json.null then return nil end
  where = where .. ": classifier_thresholds"
  if #check.table(given, where) ~= #list then
    fail("%s: %d for %d labels", where, #given, #list)
  end
  for _, threshold in ipairs(given) do
    check.number(threshold, where, { least = 0, most = 1 })
  end
  return given
end

function multi_label.read_config(config, where)
  local list = names.read(config, where, 1)
  return list, { thresholds = read_thresholds(config, list, where) }
end

function multi_label.write_config(config, model)
  config.problem_type = multi_label.name
  config.classifier_thresholds = model.thresholds
  names.write(config, model.labels)
end

-- }========

return multi_label
