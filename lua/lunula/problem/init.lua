--- What a row's target may be: the types of problems.
--
-- Each is a module of one interface, which training, evaluating, answering and
-- saving ask; nothing else knows which types there are:
--
--  * `name` as transformers' `problem_type`, where it has one
--  * `activation`: what makes answers of logits, "softmax", "sigmoid" or "none"
--  * `is_single`: whether labels compete, so that there is a surest one, which
--    may be calibrated and abstained from
--  * `scores`: the numbers of its reports, any of which but `n` may choose the
--    best epoch; `metric`, the one that does when nobody says; `quality`, one
--    that is 1 at best, for comparing two models; `shown`, pairs of a score
--    and its name, for a line of a terminal
--  * `measured`: further numbers of the report of `evaluate`, some of them only
--    when asked for; `bounded`, the scores that `cells` gives; `sliced`, those
--    that `part` gives; `rate`, the one of these that a part is judged by
--  * `fields` of an answer
--  * `label_type`: what `data.read` is to make of a label, "string" or
--    "number"; `separator` of several labels, or nil
--  * `check_rows(rows, what)`, `check_learnable(rows, what)`,
--    `check_seen(rows, train, what)` raise where rows can't be judged, learnt
--    from, or have what the rows to learn from have not
--  * `labels(rows)`: the list of labels for a model of these rows;
--    `fixed_labels`: that of all models of the type, or nil
--  * `check_labels(labels, what)`; `outputs(labels)`: how many logits there are
--  * `targets(rows, labels, what)`: an array, one target for each row
--  * `loss_options(targets, labels, o)`: of the options of `train`, what `loss`
--    takes; it refuses those that make no sense
--  * `begin(head, targets)`: a head gets ready to learn these
--  * `loss(logits, targets, how, head)`: the mean loss, a tensor; `targets` are
--    those of the rows of the batch; `how` from `loss_options`, and `head` that
--    is learning, or nil both
--  * `tensor(targets)`: the same as a tensor
--  * `weight(targets, how)`: what these rows weigh in a mean of losses
--  * `read(logits)`: for each row what `report` takes; `tune(model, found,
--    targets)`: settles what of an answer rows may decide; `report(found,
--    targets, model)`: how good it is
--  * `cells(found, targets, model)`: what is read, counted (see
--    `lunula.metrics.cells`); `part(found, targets, model)`: scores of a part
--    of the rows, in which not all labels may occur
--  * `verdict(found, target, model, probabilities)` of a row: `label`, what is
--    right, and `predicted`; `loss`; of labels `correct`, and of the one that
--    is said its `score`; probabilities are those of `probabilities`
--  * `answer(numbers, model)`: a prediction, of what C gives for a text
--  * `probabilities(logits)`, a tensor of one for each label (nil: there are
--    none), and `choose(probabilities)`, the number of the label that is said
--  * `read_config(config, where)`: the labels of a folder, and what else a
--    model has of it; `write_config(config, model)`
-- @module lunula.problem

local check = require "lunula.check"
local json = require "lunula.json"

local problem = {}

--- The types, by name.
problem.TYPES = {
  single_label_classification = "lunula.problem.single_label",
  multi_label_classification = "lunula.problem.multi_label",
  regression = "lunula.problem.regression",
  ordinal = "lunula.problem.ordinal",
}

--- The one when nobody says.
problem.DEFAULT = "single_label_classification"

--- The module of a type.
-- @string[opt] name "single_label_classification" when not given
-- @string what who asks, for the message
-- @treturn table see above
-- @raise on a name that is none
-- @usage local regression = problem.of("regression", "train")
function problem.of(name, what)
  name = name == nil and problem.DEFAULT or name
  return require(problem.TYPES[check.choice(name, what .. ": problem_type",
    problem.TYPES)])
end

--- Scores that are better when they are lower; all others when higher.
problem.LOWER = { loss = true, mse = true, mae = true, ece = true,
  brier = true, hamming_loss = true }

--- Scores that are no part of a whole.
problem.NO_SHARE = {
  loss = true, mse = true, mae = true, r2 = true, pearson = true,
  spearman = true, quadratic_kappa = true, mcc = true, ece = true,
  brier = true, kappa = true, hamming_loss = true, roc_auc = true,
  average_precision = true, perplexity = true,
}

--- The score that says which of several models is best.
-- @tparam table kind the module of a type
-- @string[opt] name the type's own when not given
-- @string what who asks, for the message
-- @treturn string one of the type's `scores`, but `n`
-- @raise when the type has no such score
-- @usage local metric = problem.metric(model.problem, "macro_f1", "train")
function problem.metric(kind, name, what)
  local known = {}
  for _, score in ipairs(kind.scores) do known[score] = score ~= "n" or nil end
  return check.choice(name or kind.metric, what .. ": metric", known)
end

--- A score in words, as people say it: parts of a whole in percent.
-- @string name of a score
-- @number value
-- @treturn string
-- @usage problem.shown("accuracy", 0.9)  --> 90.00 %
function problem.shown(name, value)
  if problem.NO_SHARE[name] then return ("%.4f"):format(value) end
  return ("%.2f %%"):format(100 * value)
end

local function given_in(config, name)
  local value = config[name]
  return value ~= nil and value ~= json.null and value or nil
end

-- The type of a folder's head; nil where its config does not say. As in
-- transformers, one output that nobody named is a number.
local function type_of(config, where)
  local name = given_in(config, "classifier_problem_type")
    or given_in(config, "problem_type")
  if name then
    return check.choice(name, where .. ": problem_type", problem.TYPES)
  end
  local names = config.id2label
  local is_one = type(names) == "table" and names["0"] and not names["1"]
  return is_one and "regression" or nil
end

--- The type of a folder's classifier, or of one that is to be made of it.
-- @tparam table saved as from `checkpoint.read`
-- @tparam ?string given type, which a folder that has a head of another refuses
-- @treturn table the module
-- @raise naming the folder
function problem.of_folder(saved, given)
  local has_head = saved.tensors["classifier.weight"] ~= nil
  local own = has_head and type_of(saved.config, saved.dir .. "/config.json")
  if own and given and own ~= given and problem.TYPES[given] then
    error(("classifier: %s is for %s, not %s"):format(saved.dir, own, given),
      0)
  end
  return problem.of(given or own or nil, "classifier")
end

return problem
