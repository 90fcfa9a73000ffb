--- What a training needs before its first step, checked and worked out.
-- @module lunula.train.plan

local check = require "lunula.check"
local encoded = require "lunula.encoded"
local evaluate = require "lunula.evaluate"
local labels = require "lunula.labels"
local sampler = require "lunula.sampler"
local schedule = require "lunula.schedule"
local techniques = require "lunula.train.techniques"

local plan = {}

local PRECISIONS = { fp32 = true, bf16 = true }

local METRICS = {
  accuracy = true, macro_f1 = true, weighted_f1 = true, mcc = true,
  loss = true,
}

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
  check_option(o, "warmup_ratio", "number", { least = 0, most = 1 })
  check_option(o, "label_smoothing", "number", { least = 0, most = 1 })
  check_option(o, "max_grad_norm", "number", { above = 0, most = math.huge })
  check_option(o, "dropout", "number", check.PROBABILITY)
  check_option(o, "metric", "choice", METRICS)
  check_option(o, "schedule", "choice", schedule)
  check_option(o, "precision", "choice", PRECISIONS)
  check_option(o, "checkpoint", "path")
  for _, name in ipairs { "keep_best", "gradient_checkpointing",
      "resume" } do
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

-- {======== class weights ========

-- n / (k count): each label counts as much in all (King & Zeng 2001, as
-- scikit-learn's "balanced").
local function balanced(classes, list)
  local weights, count = {}, {}
  for _, class in ipairs(classes) do
    count[class] = (count[class] or 0) + 1
  end
  for i = 1, #list do
    weights[i] = count[i - 1] and #classes / (#list * count[i - 1]) or 1
  end
  return weights
end

local function check_weights(given, list)
  local known = {}
  for _, label in ipairs(list) do known[label] = true end
  for label, weight in pairs(given) do
    if not known[label] then
      fail("class_weights: '%s' is none of the labels: %s", tostring(label),
        labels.listed(list))
    end
    check.number(weight, "train: class_weights: " .. label, { above = 0 })
  end
end

local function weights_of(given, classes, list)
  if given == nil then return nil end
  if given == "balanced" then return balanced(classes, list) end
  if type(given) ~= "table" then
    fail("class_weights: expected a table or \"balanced\", got %s",
      tostring(given))
  end
  check_weights(given, list)
  local weights = {}
  for i, label in ipairs(list) do weights[i] = given[label] or 1 end
  return weights
end

-- What the loss of logits is told.
local function loss_of(o, classes, list)
  local weight = weights_of(o.class_weights, classes, list)
  if o.focal_gamma > 0 then
    return { weight = weight, gamma = o.focal_gamma }
  end
  return { weight = weight, label_smoothing = o.label_smoothing }
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

-- }========

--- Works out what a training needs.
-- @tparam classifier model
-- @tparam {table,...} rows
-- @tparam table o options of `train`
-- @treturn table the `rows`, their `tokens` and `classes`, `validation` as from
--   `evaluate.prepare`, `loss` for `nn.cross_entropy` or, with a `gamma`,
--   `nn.focal_loss`; `groups`, a function from an epoch to what each of its
--   steps learns from, an array of batches of row numbers; `steps` in all, and
--   `factor` of the learning rate
-- @raise when rows can't be learnt from
function plan.make(model, rows, o)
  labels.check_rows(rows, "train")
  labels.check_two(rows, "train")
  if o.validation then
    labels.check_rows(o.validation, "train: validation")
    labels.check_seen(o.validation, rows, "train: validation")
  end
  local classes = labels.classes(rows, model.labels, "train")
  if o.max_length then model:set_max_length(o.max_length) end
  local tokens = encoded.new(model.tokenizer, rows, model.max_length, "train",
    { count_truncated = true })
  local groups = grouper(o, tokens.lengths)
  local steps = count_steps(o, groups)
  return {
    rows = rows, classes = classes, tokens = tokens,
    groups = groups, steps = steps,
    validation = o.validation
      and evaluate.prepare(model, o.validation, "train: validation"),
    loss = loss_of(o, classes, model.labels),
    factor = schedule[o.schedule](steps, { warmup_ratio = o.warmup_ratio }),
  }
end

return plan
