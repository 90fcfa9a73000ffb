--- Self-training: a model labels texts that nobody has labelled, and learns
-- from those of which it is sure (Lee 2013, "Pseudo-Label"; Xie et al. 2020,
-- "Self-training with Noisy Student improves ImageNet classification",
-- https://arxiv.org/abs/1911.04252: the teacher answers without noise, and
-- each student, which begins at the start weights, learns with dropout).
-- @module lunula.self_train

local check = require "lunula.check"
local classifier = require "lunula.classifier"
local distil = require "lunula.distil"
local labels = require "lunula.labels"
local options = require "lunula.options"
local texts = require "lunula.pretrain.texts"
local train = require "lunula.train"

local none = options.none
local KNOWN = {
  rounds = 3, threshold = 0.9, per_class = none, validation = none,
  metric = none, classifier = none, train = none, on_round = none,
}

local function check_options(given)
  local o = options.check(given, KNOWN, "self_train")
  check.integer(o.rounds, "self_train: rounds", { least = 1 })
  check.number(o.threshold, "self_train: threshold", { least = 0, most = 1 })
  if o.per_class then
    check.integer(o.per_class, "self_train: per_class", { least = 1 })
  end
  for _, name in ipairs { "classifier", "train" } do
    if o[name] then check.table(o[name], "self_train: " .. name) end
  end
  if o.on_round then check.func(o.on_round, "self_train: on_round") end
  for _, name in ipairs { "validation", "metric" } do
    if o.train and o.train[name] ~= nil then
      error(("self_train: train: %s: give it beside train, not in it")
        :format(name), 0)
    end
  end
  return o
end

local function copied(given, changes)
  local copy = {}
  for name, value in pairs(given or {}) do copy[name] = value end
  for name, value in pairs(changes) do copy[name] = value end
  return copy
end

-- {======== pseudo-labels ========

-- the most probable label; of equals the first by name
local function best_of(scores)
  local best
  for label, p in pairs(scores) do
    if not best or p > scores[best] or p == scores[best] and label < best then
      best = label
    end
  end
  return best
end

-- The rows of a label that the model is sure of, the surest first.
local function sure_of(answered, threshold)
  local by_label = {}
  for i, row in ipairs(answered) do
    local label = best_of(row.scores)
    if row.scores[label] >= threshold then
      by_label[label] = by_label[label] or {}
      table.insert(by_label[label], { place = i, score = row.scores[label] })
    end
  end
  for _, list in pairs(by_label) do
    table.sort(list, function(a, b)
      if a.score ~= b.score then return a.score > b.score end
      return a.place < b.place
    end)
  end
  return by_label
end

-- Rows with pseudo-labels, in the order of the texts; how many each label has.
local function pseudo_labelled(model, rows, o)
  local answered = distil.scores(model, rows)
  local label_of, counts, chosen = {}, {}, {}
  for _, label in ipairs(model.labels) do counts[label] = 0 end
  for label, list in pairs(sure_of(answered, o.threshold)) do
    for i = 1, math.min(#list, o.per_class or #list) do
      label_of[list[i].place] = label
      counts[label] = counts[label] + 1
    end
  end
  for i, row in ipairs(rows) do
    if label_of[i] then
      chosen[#chosen + 1] = copied(row, { label = label_of[i] })
    end
  end
  return chosen, counts
end

-- }========

-- {======== rounds ========

local function joined(a, b)
  local all = {}
  for _, list in ipairs { a, b } do
    for _, row in ipairs(list) do all[#all + 1] = row end
  end
  return all
end

local function fit(name_or_dir, rows, list, o)
  local model = classifier(name_or_dir,
    copied(o.classifier, { labels = list }))
  local result = train(model, rows, copied(o.train,
    { validation = o.validation, metric = o.metric }))
  return model, result
end

-- what the validation that chose the weights said
local function scores_of(result)
  for _, entry in ipairs(result.validations) do
    if entry.step == result.best_step then return entry.scores end
  end
end

-- Of equals the earlier: pseudo-labels that bring nothing are not needed.
local function is_better(entry, best, metric)
  if not best or not entry.validation then return true end
  local now, before = entry.validation[metric], best.validation[metric]
  if metric == "loss" then return now < before end
  return now > before
end

-- }========

--- Trains a model on labelled rows, and then anew on these and on texts that
-- the model before has labelled, some times.
-- @function self_train
-- @string name_or_dir the start weights of each round, as for
--   `lunula.classifier`
-- @tparam {table,...} rows labelled, as from `data.read`
-- @tparam string|table unlabelled a file, or an array of strings or of rows
--   with `text`
-- @tparam[opt] table given
-- @int[opt=3] given.rounds after the first training, which has no
--   pseudo-labels
-- @number[opt=0.9] given.threshold least probability of a label that is
--   believed
-- @int[opt] given.per_class most texts of a label that join, the surest: so
--   that the labels are balanced; all when not given
-- @tparam[opt] {table,...} given.validation rows that choose the best epoch of
--   each round, and the best round; the last round when not given
-- @string[opt="accuracy"] given.metric what is best, as for `train`
-- @tparam[opt] table given.classifier options of `lunula.classifier`
-- @tparam[opt] table given.train options of `lunula.train`
-- @func[opt] given.on_round called with an entry of the history
-- @treturn classifier of the best round
-- @treturn table an array of `{ round, pseudo, counts, validation, best }`:
--   from 0; how many texts joined, and of each label; the scores by which its
--   weights were chosen; whether it is the best so far
-- @raise as `classifier` and `train`
-- @usage local model, history = lunula.self_train("all-MiniLM-L6-v2", rows,
--   "unlabelled.txt", { validation = parts.validation, threshold = 0.95 })
return function(name_or_dir, rows, unlabelled, given)
  local o = check_options(given)
  labels.check_rows(rows, "self_train")
  local list = labels.of(rows)
  local waiting = texts.rows(unlabelled, "self_train: unlabelled")
  local history, model, best_model, best = {}, nil, nil, nil
  for round = 0, o.rounds do
    local chosen, counts = {}, {}
    if model then chosen, counts = pseudo_labelled(model, waiting, o) end
    local result
    model, result = fit(name_or_dir, joined(rows, chosen), list, o)
    local entry = { round = round, pseudo = #chosen, counts = counts,
      validation = scores_of(result) }
    entry.best = is_better(entry, best, o.metric or "accuracy")
    if entry.best then best_model, best = model, entry end
    history[#history + 1] = entry
    if o.on_round then o.on_round(entry) end
  end
  return best_model, history
end
