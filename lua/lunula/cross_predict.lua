--- Out-of-sample probabilities: of each row, by a model that has not seen it.
-- Rows are dealt out to k folds (Stone 1974, "Cross-validatory choice and
-- assessment of statistical predictions"); the rows of each fold are answered
-- by a model of the others. Rows of equal text, but for case, space and
-- punctuation, lie in one fold: a model that has seen the twin would answer by
-- heart. What is confident learning (`lunula.confident`) for needs such
-- probabilities.
-- @module lunula.cross_predict

local check = require "lunula.check"
local classifier = require "lunula.classifier"
local core = require "lunula.core"
local embedder = require "lunula.embedder"
local encoded = require "lunula.encoded"
local groups = require "lunula.split.groups"
local labels = require "lunula.labels"
local logistic = require "lunula.few_shot.logistic"
local no_grad = require("lunula.grad").no_grad
local options = require "lunula.options"
local sampler = require "lunula.sampler"
local tensor = require "lunula.tensor"
local together = require "lunula.split.together"
local train = require "lunula.train"

local none = options.none
local KNOWN = {
  labels = none, k = 5, seed = 0, method = "head", l2 = none,
  vectors = none, classifier = none, train = none, on_fold = none,
}

local WHAT = "cross_predict"

-- what draws the folds; epochs are drawn from streams 1, 2, ...
local FOLD_STREAM = 0

-- {======== folds ========

-- Labels of one group alone can't be spread: they are dealt out together.
local function strata_of(rows, keys)
  local first, spread, strata = {}, {}, {}
  for i, row in ipairs(rows) do
    local label = row.label
    if first[label] == nil then first[label] = keys[i] end
    spread[label] = spread[label] or first[label] ~= keys[i]
  end
  for i, row in ipairs(rows) do
    strata[i] = spread[row.label] and row.label or ""
  end
  return strata
end

-- The fold of each row, from 1, and how many folds there are.
local function assign(rows, o)
  local keys, distinct = together.of(rows, "together")
  if distinct < 2 then
    error(("%s: %d rows of one text: expected two texts at least"):format(
      WHAT, #rows), 0)
  end
  local k, shares = math.min(o.k, distinct), {}
  for i = 1, k do shares[i] = 1 / k end
  local order = sampler.order(#rows, { seed = o.seed, epoch = FOLD_STREAM })
  return groups.assign(order, keys, strata_of(rows, keys), shares, false), k
end

-- The rows of a fold, and the others, by their numbers.
local function members(assigned, number)
  local held_out, others = {}, {}
  for i, fold in ipairs(assigned) do
    local list = fold == number and held_out or others
    list[#list + 1] = i
  end
  return held_out, others
end

-- }========

-- {======== models ========

-- float32 [rows, classes of the fold] over all classes; 0 for a label that no
-- row to learn from has.
local function over_all(p, some, all)
  if #some == #all then return p end
  local class, chosen = {}, {}
  for i, label in ipairs(all) do class[label] = i end
  for i, label in ipairs(some) do
    chosen[i] = {}
    for j = 1, #all do chosen[i][j] = j == class[label] and 1 or 0 end
  end
  return p:matmul(tensor.from(chosen))
end

local function numbers_of(list)
  local numbers = {}
  for i, n in ipairs(list) do numbers[i] = n - 1 end
  return tensor.from(numbers, "int32")
end

local methods = {}

local PENALTIES = { 10, 1, 0.1, 0.01 }  -- of which the best is taken
local TRIED = 3000                      -- rows to learn from, for the choice
local TOLERANCE, ROUGH = 1e-3, 1e-2     -- of the last fit, and on the way there

local function fitted(vectors, classes, n_classes, l2, start, tolerance)
  local weight, bias = logistic.fit(vectors, classes, n_classes, l2,
    { start = start, tolerance = tolerance })
  return { weight = weight, bias = bias }
end

-- Weights for a penalty, by way of the larger ones: without much of a penalty
-- the way from zeros, or from the weights of other rows, is a long one.
local function descend(vectors, classes, n_classes, l2)
  local at
  for _, penalty in ipairs(PENALTIES) do
    if penalty > l2 then
      at = fitted(vectors, classes, n_classes, penalty, at, ROUGH)
    end
  end
  return fitted(vectors, classes, n_classes, l2, at, TOLERANCE)
end

local function answers(vectors, head)
  return no_grad(function()
    return (vectors:matmul(head.weight:transpose(1, 2)) + head.bias):softmax(2)
  end)
end

-- The mean negative log likelihood of the rows whose label is known there.
local function loss_of(run, held_out, some, p)
  local class, sum, n = {}, 0, 0
  for k, label in ipairs(some) do class[label] = k end
  for i, row in ipairs(p:totable()) do
    local k = class[run.rows[held_out[i]].label]
    if k then sum, n = sum - math.log(math.max(row[k], 1e-30)), n + 1 end
  end
  return n > 0 and sum / n or 0
end

-- Some of a list, spread over it.
local function spread(list, most)
  local step, some = math.max(1, #list / most), {}
  for i = 1, math.min(most, #list) do
    some[i] = list[math.floor((i - 1) * step) + 1]
  end
  return some
end

-- What a fold's regression learns from: vectors, and the classes of their rows.
local function examples(run, numbers, some)
  return run.vectors:index(1, numbers_of(numbers)),
    labels.classes(sampler.pick(run.rows, numbers), some, WHAT)
end

-- The penalty with which the rows of a fold are answered best. Where a smaller
-- one answers them no better, those that are smaller still don't either.
local function best_penalty(run, held_out, others, some)
  local best, least, head
  local asked = run.vectors:index(1, numbers_of(held_out))
  local vectors, classes = examples(run, spread(others, TRIED), some)
  for _, l2 in ipairs(PENALTIES) do
    head = fitted(vectors, classes, #some, l2, head, TOLERANCE)
    local loss = loss_of(run, held_out, some, answers(asked, head))
    if best and loss >= least then break end
    best, least = l2, loss
  end
  return best
end

-- a logistic regression over the vectors of the encoder as it is
function methods.head(run, held_out, others, some)
  run.l2 = run.l2 or run.options.l2
    or best_penalty(run, held_out, others, some)
  local vectors, classes = examples(run, others, some)
  return answers(run.vectors:index(1, numbers_of(held_out)),
    descend(vectors, classes, #some, run.l2))
end

local function copied(given, changes)
  local copy = {}
  for name, value in pairs(given or {}) do copy[name] = value end
  for name, value in pairs(changes) do
    if copy[name] == nil then copy[name] = value end
  end
  return copy
end

-- the encoder fine-tuned, from its start weights each time
function methods.train(run, held_out, others, some)
  local o = run.options
  local model = classifier(run.source,
    copied(o.classifier, { labels = some, seed = o.seed, new_head = true }))
  train(model, sampler.pick(run.rows, others),
    copied(o.train, { seed = o.seed }))
  local tokens = encoded.new(model.tokenizer,
    sampler.pick(run.rows, held_out), model.max_length, WHAT)
  return tokens:map(function(batch) return model:logits(batch) end, #some)
    :softmax(2)
end

-- }========

local function check_vectors(vectors, rows)
  local shape = check.tensor(vectors, WHAT .. ": vectors"):shape()
  if #shape ~= 2 or shape[1] ~= #rows then
    error(("%s: vectors: expected [%d, width], got [%s]"):format(WHAT, #rows,
      table.concat(shape, ", ")), 0)
  end
  return vectors
end

local function check_options(given)
  local o = options.check(given, KNOWN, WHAT)
  check.integer(o.k, WHAT .. ": k", { least = 2 })
  check.integer(o.seed, WHAT .. ": seed")
  check.choice(o.method, WHAT .. ": method", methods)
  if o.l2 then check.number(o.l2, WHAT .. ": l2", { above = 0 }) end
  for _, name in ipairs { "classifier", "train" } do
    if o[name] then check.table(o[name], WHAT .. ": " .. name) end
  end
  if o.on_fold then check.func(o.on_fold, WHAT .. ": on_fold") end
  return o
end

-- What a pair of texts says is in both.
local function texts_of(rows)
  local texts = {}
  for i, row in ipairs(rows) do
    texts[i] = row.text_pair and row.text .. " " .. row.text_pair or row.text
  end
  return texts
end

local function start(source, rows, o)
  labels.check_rows(rows, WHAT)
  labels.check_two(rows, WHAT)
  local run = { source = source, rows = rows, options = o,
    labels = o.labels or labels.of(rows) }
  labels.check(run.labels, WHAT)
  labels.classes(rows, run.labels, WHAT)
  if o.method == "head" then
    run.vectors = o.vectors and check_vectors(o.vectors, rows)
      or embedder(source):encode(texts_of(rows))
  end
  return run
end

-- The probabilities [held_out, classes] of a fold.
local function answer(run, held_out, others)
  local some = labels.of(sampler.pick(run.rows, others))
  if #some == 1 then
    return over_all(tensor.ones { #held_out, 1 }, some, run.labels)
  end
  local made = methods[run.options.method](run, held_out, others, some)
  return over_all(made, some, run.labels)
end

--- The probabilities of all rows' labels, each row's by a model of rows of
-- other folds.
--
-- `"head"`: a logistic regression over the vectors of the encoder as it is
-- (see `embedder`); the encoder must not have been fine-tuned on the same rows.
-- Reads each text once. `"train"`: the encoder is fine-tuned anew for each
-- fold: better, and k times the cost of `lunula.train`.
--
-- The same rows, options and seed give the same numbers, whatever the number of
-- threads. Memory: one model, and for `"head"` four bytes for each row and each
-- number of a vector.
-- @function cross_predict
-- @string name_or_dir the encoder: a folder, or a name as in `hub.resolve`
-- @tparam {table,...} rows as from `data.read`, with labels
-- @tparam[opt] table given
-- @tparam[opt] {string,...} given.labels in the order of the classes; those of
--   the rows, sorted, when not given
-- @int[opt=5] given.k folds; fewer where there are fewer texts
-- @int[opt=0] given.seed of folds and training
-- @string[opt="head"] given.method or "train"
-- @number[opt] given.l2 penalty of the head's weights; when not given, that of
--   0.01, 0.1, 1 and 10 with which the first fold is answered best
-- @tparam[opt] tensor given.vectors float32 [rows, width] that "head" is to
--   read, instead of the encoder's
-- @tparam[opt] table given.classifier options of `lunula.classifier`, for
--   "train"
-- @tparam[opt] table given.train options of `lunula.train`, likewise
-- @func[opt] given.on_fold called with the number of folds done, and of all
-- @treturn tensor float32 [rows, labels]; 0 for a label that is in a row's own
--   fold alone
-- @treturn {string,...} labels in the order of the columns
-- @raise when rows have no text or label, all have one label or text; on
--   options out of range; "interrupted" after Ctrl-C, where the program catches
--   it
-- @usage local p, list = lunula.cross_predict("all-MiniLM-L6-v2", rows)
-- local found = lunula.confident.find(rows, p, { labels = list })
return function(name_or_dir, rows, given)
  local o = check_options(given)
  local run = start(name_or_dir, rows, o)
  local assigned, k = assign(rows, o)
  local all = tensor.zeros { #rows, #run.labels }
  for number = 1, k do
    if core.system.interrupted() then error("interrupted", 0) end
    local held_out, others = members(assigned, number)
    if #held_out > 0 then
      local p = answer(run, held_out, others)
      for i, row in ipairs(held_out) do
        all:slice(1, row, row):copy(p:slice(1, i, i))
      end
    end
    if o.on_fold then o.on_fold(number, k) end
  end
  return all, run.labels
end
