--- Fine-tunes a classifier on labelled rows.
--
-- As `transformers` users know it: AdamW, linear warm-up and then linear
-- decay of the learning rate, the gradients' norm clipped, dropout. The same
-- seed and data give the same bits, whatever the number of threads.
-- @module lunula.train

local best = require "lunula.train.best"
local check = require "lunula.check"
local core = require "lunula.core"
local descent = require "lunula.train.descent"
local evaluate = require "lunula.evaluate"
local json = require "lunula.json"
local learners = require "lunula.train.learners"
local memory = require "lunula.train.memory"
local options = require "lunula.options"
local plan = require "lunula.train.plan"
local recipes = require "lunula.recipes"
local state = require "lunula.train.state"
local techniques = require "lunula.train.techniques"

local train = {}

local none = options.none

--- The options with their defaults, as for `options.check`.
train.options = {
  recipe = none, epochs = 3, max_steps = none,
  batch_size = none, batch_tokens = none,
  group_by_length = false, gradient_accumulation_steps = 1,
  learning_rate = 5e-5, max_length = none,
  warmup_ratio = 0.1, schedule = "linear", weight_decay = 0.01,
  max_grad_norm = 1.0, dropout = none, shuffle = true, seed = 0,
  validation = none, validate_every = none, metric = none,
  tune_thresholds = true,
  patience = none, keep_best = true, checkpoint = none,
  checkpoint_every = none, resume = false, class_weights = none,
  label_smoothing = 0, precision = none, gradient_checkpointing = none,
  on_step = none, on_epoch = none,
}

for _, option in ipairs(techniques.options()) do
  train.options[option.name] = option.default == nil and none or option.default
end

--- Gives options that were not given their defaults, for what offers only some
-- of them.
-- @tparam table o
-- @treturn table o
function train.complete(o)
  for name, default in pairs(train.options) do
    if o[name] == nil and default ~= none then o[name] = default end
  end
  return o
end

-- {======== a step ========

local function tell_step(run, loss, tokens, rows)
  local steps = run.result.steps
  steps[#steps + 1] = {
    step = run.step, loss = loss, learning_rate = run.learning_rate,
  }
  if not run.options.on_step then return end
  run.options.on_step {
    step = run.step, steps = run.plan.steps, epoch = run.epoch, loss = loss,
    learning_rate = run.learning_rate, tokens = tokens, seconds = run.seconds,
    tokens_per_second = run.tokens / run.seconds, rows = rows,
    task = run.task,
  }
end

-- Returns what its loss weighs in the mean of the epoch.
local function step(run, group)
  local begun = core.system.monotonic()
  run.step = run.step + 1
  run.learning_rate = run.options.learning_rate
    * run.plan.factor(run.step - 1)
  local loss, tokens, rows, weight = run.descend(run, group)
  run.seconds = run.seconds + core.system.monotonic() - begun
  run.tokens = run.tokens + tokens
  run.epoch_loss = run.epoch_loss + loss * weight
  tell_step(run, loss, tokens, rows)
  return weight
end

-- }========

-- {======== validation ========

--- The scores that a type of problem tells of a report.
-- @tparam table report of `evaluate`
-- @tparam table problem
-- @treturn table
function train.scores(report, problem)
  local scores = {}
  for _, name in ipairs(problem.scores) do scores[name] = report[name] end
  return scores
end

local function judge(run)
  local report = evaluate.run(run.model, run.plan.validation, nil,
    descent.check_interrupt)
  return train.scores(report, run.model.problem)
end

local function validate(run)
  if not run.plan.validation then return nil end
  if run.validated == run.step then return run.scores end
  techniques.each(run, "enter")
  local scores = run.judge(run)
  if run.best:see(scores, run.epoch, run.step) then
    techniques.each(run, "keep")
  end
  techniques.each(run, "leave")
  run.validated, run.scores = run.step, scores
  local list = run.result.validations
  list[#list + 1] = { step = run.step, epoch = run.epoch, scores = run.scores }
  local patience = run.options.patience
  run.stopped = patience and run.best.since >= patience or false
  return run.scores
end

local function is_due(run, option)
  local every = run.options[option]
  return every and run.step % every == 0
end

-- }========

-- {======== epochs ========

-- Without validation, each epoch is as good as any before it.
local function save_epoch(run)
  local dir = run.options.checkpoint
  if not dir or run.plan.validation then return end
  techniques.each(run, "enter")
  run.model:save(dir)
  techniques.each(run, "leave")
end

local function is_over(run)
  return run.stopped or run.step == run.plan.steps
end

-- the end has a state of its own
local function save_state(run)
  if run.options.checkpoint and not is_over(run) then state.write(run) end
end

local function end_epoch(run)
  local entry = { epoch = run.epoch, train_loss = run.epoch_loss / run.seen }
  entry.validation = validate(run)
  save_epoch(run)
  local history = run.result.history
  history[#history + 1] = entry
  save_state(run)
  if run.options.on_epoch then run.options.on_epoch(entry) end
end

local function begin_epoch(run)
  run.epoch, run.epoch_loss, run.seen = run.epoch + 1, 0, 0
end

-- From where it stands to the epoch's end; `at` groups of it are done.
local function epoch(run)
  if run.at == 0 then begin_epoch(run) end
  local groups = run.plan.groups(run.epoch)
  while run.at < #groups and not is_over(run) do
    run.at = run.at + 1
    run.seen = run.seen + step(run, groups[run.at])
    if is_due(run, "validate_every") then validate(run) end
    if is_due(run, "checkpoint_every") then save_state(run) end
  end
  run.at = 0
  end_epoch(run)
end

-- Returns what a run left that had ended: then there is nothing to be done.
local function resume(run)
  if not run.options.checkpoint then return nil end
  run.identity = state.identity(run)
  if run.options.resume then return state.load(run) end
  state.clear(run)
end

local function take_up(run, left)
  memory.free(run)
  state.load_model(run, left)
end

local function fit(run)
  local left = resume(run)
  if left then return take_up(run, left) end
  while not is_over(run) do epoch(run) end
  descent.check_interrupt()
  memory.free(run)
  techniques.each(run, "finish", run)
  if run.best:restore(run.step) then techniques.each(run, "restore") end
  if run.options.checkpoint then state.close(run) end
end

-- }========

--- A run before its first step.
-- @tparam classifier model or what stands in for it: an object with `encoder`,
--   `parameters`, `train`, `seed`, `set_dropout`, `settle`, `get_thresholds`,
--   `set_thresholds`, and `save` for a checkpoint
-- @tparam table o options of `train`, checked
-- @tparam table made as from `plan.make`
-- @tparam[opt] table how `descend`, a function of the run and of what
--   `made.groups` lists, that makes a step and returns what `descent.step`
--   does; `judge`, one of the run that returns scores. Those of a single
--   classifier when not given
-- @treturn table for `train.fit`
function train.start(model, o, made, how)
  how = how or { descend = descent.step, judge = judge }
  local run = {
    model = model, options = o, plan = made,
    descend = how.descend, judge = how.judge,
    step = 0, epoch = 0, at = 0, seconds = 0, tokens = 0, stopped = false,
    result = { steps = {}, history = {}, validations = {} },
    learners = learners.all(model, o),
    best = best.new(model, made.metric, o.checkpoint,
      o.keep_best and made.steps or nil),
  }
  if o.dropout then model:set_dropout(o.dropout) end
  model:seed(o.seed)
  run.techniques = techniques.new(run)
  run.optimizer = learners.optimizer(run.learners, o)
  return run
end

-- How the encoder computes while it trains, and what has a gradient; returns
-- what undoes it.
local function prepare(run)
  local encoder, o = run.model.encoder, run.options
  local precision, checkpointing = encoder.precision, encoder.checkpointing
  local checkpoint = o.gradient_checkpointing
  if checkpoint == nil then checkpoint = checkpointing end
  encoder:set_precision(o.precision or precision)
  encoder:gradient_checkpointing(checkpoint)
  local thaw = learners.freeze(run.model, run.learners)
  return function()
    thaw()
    encoder:set_precision(precision)
    encoder:gradient_checkpointing(checkpointing)
  end
end

local function finish(run)
  local result = run.result
  json.array(result.validations)  -- though there may be none
  result.train_seconds = run.seconds
  result.tokens_per_second = run.tokens / run.seconds
  result.best_epoch, result.best_step = run.best.epoch, run.best.step
  result.metric = run.best.step and run.best.metric or nil
  result.seed, result.threads = run.options.seed, core.threads()
  result.precision = run.options.precision or run.model.encoder.precision
  result.truncated = run.plan.tokens.truncated
  return result
end

--- Takes a run from where it stands to its end.
-- @tparam table run as from `train.start`
-- @treturn table what `train` returns
-- @raise as `train`
function train.fit(run)
  local model, restore = run.model, prepare(run)
  model:train(true)
  local ok, why = pcall(fit, run)
  run.model = model
  if not ok then techniques.each(run, "abandon") end
  model:train(false)
  model:settle()
  restore()
  run.best:forget()
  memory.free(run)  -- of what restoring took, or of a training that failed
  if not ok then error(why, 0) end
  return finish(run)
end

--- Fine-tunes a model.
-- Validation rows choose the weights that the model has at the end. With
-- `checkpoint`, the model is saved there each time that it is the best so far
-- (without validation: after each epoch), so that what was learnt outlives an
-- error or Ctrl-C. What a run needs to be resumed lies beside it, three times
-- as large as the model, until the end.
-- @function train
-- @tparam classifier model trained in place
-- @tparam {table,...} rows as from `data.read`, of two labels at least
-- @tparam[opt] table given
-- @string[opt] given.recipe name of a bundle of options (`lunula.recipes`),
--   for those that are not given
-- @int[opt=3] given.epochs passes over the rows
-- @int[opt] given.max_steps steps in all, however many epochs that makes
-- @int[opt=32] given.batch_size rows of a batch; the last of an epoch may be
--   smaller
-- @int[opt] given.batch_tokens instead: the most tokens of a batch, at least
--   2; a text that has more is a batch of its own
-- @bool[opt=false] given.group_by_length texts of like length share a batch,
--   as in transformers: the shuffled order is sorted within parts of 50
--   batches, and the batches are shuffled
-- @int[opt=1] given.gradient_accumulation_steps batches a step: the gradients
--   are those of one batch of all their rows. The last step of an epoch has
--   the batches that are left and is their mean, not divided further, as in
--   transformers; steps, the schedule and `validate_every` count whole steps
-- @number[opt=5e-5] given.learning_rate its peak
-- @int[opt] given.max_length tokens kept of a text; the model's
-- @number[opt=0.1] given.warmup_ratio share of the steps in which the rate
--   rises
-- @string[opt="linear"] given.schedule or "cosine", "constant": after that
-- @number[opt=0.01] given.weight_decay of all but biases and LayerNorm
-- @number[opt=1.0] given.max_grad_norm of all gradients; math.huge: no limit
-- @number[opt] given.dropout of hidden states and attention; the model's
-- @bool[opt=true] given.shuffle
-- @int[opt=0] given.seed of order and dropout
-- @tparam[opt] {table,...} given.validation rows to judge by, after each epoch
-- @int[opt] given.validate_every and after so many steps
-- @string[opt] given.metric what is best: "accuracy", which it is when not
--   given, "macro_f1", "weighted_f1", "mcc", "loss". Of a multi-label model
--   "macro_f1" (when not given), "micro_f1", "samples_f1", "weighted_f1",
--   "subset_accuracy", "loss"; of a regression "mse" (when not given), "mae",
--   "pearson", "spearman", "r2", "loss"; of ordinal labels "mae" (when not
--   given), "quadratic_kappa", "accuracy", "macro_f1", "weighted_f1", "mcc",
--   "loss"
-- @bool[opt=true] given.tune_thresholds of a multi-label model: each validation
--   gives each label the threshold with the best F1 on these rows, before it
--   judges (see `lunula.thresholds`); those of the best weights come back with
--   them
-- @int[opt] given.patience stop after so many validations without a better one
-- @bool[opt=true] given.keep_best the best weights come back at the end
-- @string[opt] given.checkpoint folder to save to on the way: the model, and
--   after each epoch what a run needs to go on from there
-- @int[opt] given.checkpoint_every and after so many steps
-- @bool[opt=false] given.resume go on from where a run that was stopped stood,
--   with the same model, rows and options, to the same bits that it would have
--   ended with; from the beginning where there is no such run in `checkpoint`
-- @param[opt] given.class_weights label to its weight in the loss (1 where
--   none is given), or "balanced": as if each label were as frequent. Of a
--   multi-label model what a row that has the label weighs (`pos_weight`),
--   "balanced": those that have it as much as those that have not
-- @number[opt=0] given.label_smoothing
-- @string[opt] given.precision of the encoder's products while it trains:
--   "bf16" or "fp32" (see `encoder:set_precision`); the model's
-- @bool[opt] given.gradient_checkpointing less memory for up to a third more
--   time (see `encoder:gradient_checkpointing`); the model's
-- @param[opt] given.rdrop_alpha and what else `lunula.train.techniques` lists:
--   each technique says in its module what its options mean
-- @func[opt] given.on_step called with `step`, `steps`, `epoch`, `loss`,
--   `learning_rate`, `tokens` and `rows` (their numbers) of the step,
--   `seconds` of all steps, `tokens_per_second`
-- @func[opt] given.on_epoch called with an entry of `history`
-- @treturn table `steps`, a list of `{step, loss, learning_rate}`; `history`,
--   of `{epoch, train_loss, validation}`, where `validation` has `n`,
--   `accuracy`, `macro_f1`, `weighted_f1`, `mcc` and `loss`, or the scores of
--   another type of problem (its `metric`s above); `validations`, of
--   `{step, epoch, scores}`; `best_epoch` and `best_step`, and `metric`, the
--   score that says so (nil without validation); `train_seconds` (steps
--   alone), `tokens_per_second`, `seed`, `threads`, `precision`; `truncated`,
--   the tokens that max_length cut from the rows
-- @raise on rows of one label, or of a label that is not the model's; on a
--   validation label that no row has; when the loss is not finite;
--   "interrupted" after Ctrl-C, where the program catches it
-- @usage local result = lunula.train(model, parts.train,
--   { validation = parts.validation, epochs = 3, patience = 2 })
local function train_classifier(_, model, rows, given)
  local o = options.check(given, train.options, "train")
  check.classifier(model, "train")
  if o.recipe then
    o = options.check(recipes.resolve(o.recipe, given, model.problem.name),
      train.options, "train")
  end
  plan.check(o)
  return train.fit(train.start(model, o, plan.make(model, rows, o)))
end

return setmetatable(train, { __call = train_classifier })
