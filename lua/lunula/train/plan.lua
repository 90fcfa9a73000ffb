--- What a training needs before its first step, checked and worked out.
-- @module lunula.train.plan

local check = require "lunula.check"
local encoded = require "lunula.encoded"
local evaluate = require "lunula.evaluate"
local problem = require "lunula.problem"
local sampler = require "lunula.sampler"
local schedule = require "lunula.schedule"
local techniques = require "lunula.train.techniques"

local plan = {}

local PRECISIONS = { fp32 = true, bf16 = true }

local function fail(message, ...)
  error("train: " .. message:format(...), 0)
end

-- {======== options ========

-- an option that was given, by one of the checks
local function check_option(o, name, how, ...)
  if o[name] ~= nil then check[how](o[name], "train: " .. name, ...) end
end

--- Checks options, as `train` documents them.
-- @tparam table o
-- @raise when one is out of range, or of no use without another
function plan.check(o)
  for _, name in ipairs { "epochs", "max_steps", "validate_every", "patience",
      "checkpoint_every", "gradient_accumulation_steps" } do
    check_option(o, name, "integer", { least = 1 })
  end
  sampler.check(o, "train")
  check_option(o, "learning_rate", "number", { above = 0 })
  check_option(o, "weight_decay", "number", { least = 0 })
  check_option(o, "warmup_ratio", "number", { least = 0, most = 1 })
  check_option(o, "label_smoothing", "number", { least = 0, most = 1 })
  check_option(o, "max_grad_norm", "number", { above = 0, most = math.huge })
  check_option(o, "dropout", "number", check.PROBABILITY)
  check_option(o, "schedule", "choice", schedule)
  check_option(o, "precision", "choice", PRECISIONS)
  check_option(o, "checkpoint", "path")
  for _, name in ipairs { "keep_best", "gradient_checkpointing",
      "tune_thresholds", "resume" } do
    check_option(o, name, "boolean")
  end
  for _, name in ipairs { "on_step", "on_epoch" } do
    check_option(o, name, "func")
  end
  for _, name in ipairs { "validate_every", "patience" } do
    if o[name] and not o.validation then
      fail("%s: there are no validation rows", name)
    end
  end
  for _, name in ipairs { "checkpoint_every", "resume" } do
    if o[name] and not o.checkpoint then
      fail("%s: there is no checkpoint, the folder to save to", name)
    end
  end
  techniques.check(o)
end

-- }========

-- {======== steps ========

-- Batches in groups, each for one step; the last group may be smaller.
local function grouped(list, size)
  local groups = {}
  for i, batch in ipairs(list) do
    if (i - 1) % size == 0 then groups[#groups + 1] = {} end
    table.insert(groups[#groups], batch)
  end
  return groups
end

local function grouper(o, lengths)
  return function(epoch)
    return grouped(sampler.batches(#lengths, {
      batch_size = o.batch_size, batch_tokens = o.batch_tokens,
      group_by_length = o.group_by_length, lengths = lengths,
      shuffle = o.shuffle, seed = o.seed, epoch = epoch,
    }), o.gradient_accumulation_steps)
  end
end

-- Where a batch is a number of tokens, each epoch has batches of its own.
local function count_steps(o, groups)
  if o.max_steps then return o.max_steps end
  if not o.batch_tokens then return o.epochs * #groups(1) end
  local steps = 0
  for epoch = 1, o.epochs do steps = steps + #groups(epoch) end
  return steps
end

--- What each step learns from, and how many there are.
-- @tparam table o options of `train`
-- @tparam {int,...} lengths tokens of each row
-- @treturn table `groups`, a function from an epoch to what each of its steps
--   learns from, an array of batches of row numbers; `steps` in all, and
--   `factor` of the learning rate
function plan.steps(o, lengths)
  local groups = grouper(o, lengths)
  local steps = count_steps(o, groups)
  return { groups = groups, steps = steps,
    factor = schedule[o.schedule](steps, { warmup_ratio = o.warmup_ratio }) }
end

-- }========

-- {======== rows ========

local function check_rows(kind, rows, validation)
  kind.check_rows(rows, "train")
  kind.check_learnable(rows, "train")
  if validation then
    kind.check_rows(validation, "train: validation")
    kind.check_seen(validation, rows, "train: validation")
  end
end

-- Validation rows as `evaluate` takes them.
local function validation_of(model, o)
  if not o.validation then return nil end
  local made = evaluate.prepare(model, o.validation, "train: validation")
  made.tune = o.tune_thresholds
  return made
end

-- }========

--- Works out what a training needs; the model's head gets ready to learn.
-- @tparam classifier model
-- @tparam {table,...} rows
-- @tparam table o options of `train`
-- @treturn table the `rows`, their `tokens` and `targets`, `validation` as from
--   `evaluate.prepare`, `loss` as the problem's `loss` takes it, `metric`, what
--   is best; and what `plan.steps` says
-- @raise when rows can't be learnt from
function plan.make(model, rows, o)
  local kind = model.problem
  check_rows(kind, rows, o.validation)
  local metric = problem.metric(kind, o.metric, "train")
  local targets = kind.targets(rows, model.labels, "train")
  if o.max_length then model:set_max_length(o.max_length) end
  local tokens = encoded.new(model.tokenizer, rows, model.max_length, "train",
    { count_truncated = true })
  local made = plan.steps(o, tokens.lengths)
  local loss = kind.loss_options(targets, model.labels, o)
  kind.begin(model.head, targets)
  made.rows, made.targets, made.tokens = rows, targets, tokens
  made.validation, made.metric = validation_of(model, o), metric
  made.loss = loss
  return made
end

return plan
