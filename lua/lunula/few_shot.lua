--- Classifiers of a few examples: 8 to 64 texts of each label.
--
-- The SetFit method (Tunstall et al. 2022, "Efficient Few-Shot Learning
-- Without Prompts", https://arxiv.org/abs/2209.11055): the encoder learns to
-- put texts of one label close together and others apart, then a logistic
-- regression is fitted on its vectors, exactly. SetFit encodes both texts of
-- each pair and learns from so many pairs; here a text is encoded once a step,
-- and all pairs of the batch are learnt from at once, by the supervised
-- contrastive loss (Khosla et al. 2020, https://arxiv.org/abs/2004.11362).
-- @module lunula.few_shot

local check = require "lunula.check"
local classifier = require "lunula.classifier"
local core = require "lunula.core"
local encoded = require "lunula.encoded"
local labels = require "lunula.labels"
local logistic = require "lunula.few_shot.logistic"
local memory = require "lunula.train.memory"
local nn = require "lunula.nn"
local optim = require "lunula.optim"
local options = require "lunula.options"
local pairs_of = require "lunula.few_shot.pairs"
local sampler = require "lunula.sampler"
local schedule = require "lunula.schedule"

local none = options.none
local KNOWN = {
  labels = none, epochs = 5, batch_size = 128, learning_rate = 2e-4,
  warmup_ratio = 0, weight_decay = 0.01, max_grad_norm = 1.0,
  dropout = none, max_length = none, l2 = 0.1, seed = 0, precision = none,
  temperature = 0.1, on_step = none,
}

local PRECISIONS = { fp32 = true, bf16 = true }

-- each option, how it is checked, and its range
local CHECKS = {
  { "epochs", "integer", { least = 0 } },
  { "batch_size", "integer", { least = 2 } },
  { "learning_rate", "number", { above = 0 } },
  { "warmup_ratio", "number", { least = 0, most = 1 } },
  { "weight_decay", "number", { least = 0 } },
  { "max_grad_norm", "number", { above = 0, most = math.huge } },
  { "l2", "number", { above = 0 } },
  { "seed", "integer" },
  { "precision", "choice", PRECISIONS },
  { "temperature", "number", { above = 0 } },
  { "on_step", "func" },
}

local function check_options(o)
  for _, c in ipairs(CHECKS) do
    local name, how, range = c[1], c[2], c[3]
    if o[name] ~= nil then check[how](o[name], "few_shot: " .. name, range) end
  end
end

-- {======== the encoder ========

-- the batches of all epochs, in their order
local function plan(run)
  local list, o = {}, run.options
  for epoch = 1, o.epochs do
    for _, rows in ipairs(pairs_of.batches(run.classes,
        { batch_size = o.batch_size, seed = o.seed, epoch = epoch })) do
      list[#list + 1] = rows
    end
  end
  return list
end

-- One step of descent. Returns the loss before it.
local function step(run, rows)
  local o = run.options
  local vectors = nn.normalize(
    run.model.encoder:pooled((run.tokens:batch(rows)), "mean"))
  local loss = pairs_of.loss(vectors, sampler.pick(run.classes, rows),
    o.temperature)
  loss:backward()
  run.optimizer:clip(o.max_grad_norm)
  run.optimizer:step()
  return loss:item()
end

local function learn(run)
  local o, batches = run.options, plan(run)
  local factor = schedule.linear(#batches, { warmup_ratio = o.warmup_ratio })
  run.optimizer = optim.adamw(run.model.encoder,
    { learning_rate = o.learning_rate, weight_decay = o.weight_decay })
  for i, rows in ipairs(batches) do
    if core.system.interrupted() then error("interrupted", 0) end
    local rate = o.learning_rate * factor(i - 1)
    run.optimizer:set_learning_rate(rate)
    local entry = { step = i, loss = step(run, rows), learning_rate = rate }
    run.steps[i] = entry
    if o.on_step then o.on_step(entry, #batches) end
  end
end

-- Calls f, and counts the time that it takes as the training's.
local function timed(run, f)
  local begun, used = core.system.monotonic(), os.clock()
  f(run)
  run.seconds = run.seconds + core.system.monotonic() - begun
  run.used = run.used + os.clock() - used
end

local function fit_encoder(run)
  local model, precision = run.model, run.model.encoder.precision
  model:seed(run.options.seed):train(true)
  model.encoder:set_precision(run.options.precision or precision)
  local ok, why = pcall(timed, run, learn)
  model:train(false)
  model.encoder:set_precision(precision)
  memory.free(run)
  if not ok then error(why, 0) end
end

-- }========

-- {======== the head ========

local function read_all(run)
  local encoder = run.model.encoder
  return run.tokens:map(function(batch)
    return encoder:pooled(batch, "mean")
  end, encoder.hidden_size)
end

-- The regression sees vectors whose length is 1 in the mean, as it would if
-- each were normalised; the head that it becomes takes them as they are.
local function fit_head(run)
  local model = run.model
  local vectors = model:infer(read_all, run)
  local length = (vectors * vectors):sum(-1):mean():sqrt():item()
  local weight, bias = logistic.fit(vectors / length, run.classes,
    #model.labels, run.options.l2)
  model.head.weight:copy(weight / length)
  model.head.bias:copy(bias)
end

-- }========

local function start(name_or_dir, rows, o)
  labels.check_rows(rows, "few_shot")
  labels.check_two(rows, "few_shot")
  local model = classifier(name_or_dir, {
    labels = o.labels or labels.of(rows), pooling = "mean",
    dropout = o.dropout, max_length = o.max_length, seed = o.seed })
  return {
    model = model, options = o, steps = {}, seconds = 0, used = 0,
    classes = labels.classes(rows, model.labels, "few_shot"),
    tokens = encoded.new(model.tokenizer, rows, model.max_length, "few_shot"),
  }
end

--- Makes a classifier of a few labelled texts.
-- @function few_shot
-- @string name_or_dir a sentence encoder: a folder, or a name as in
--   `hub.resolve`
-- @tparam {table,...} rows as from `data.read`, of two labels at least and
--   best of as many texts of each
-- @tparam[opt] table given
-- @tparam[opt] {string,...} given.labels in the order of the classes; those of
--   the rows when not given
-- @int[opt=5] given.epochs passes over the texts; 0 fits a head on the
--   encoder as it is
-- @int[opt=128] given.batch_size about so many texts a step, those of a label
--   in pairs; all where they are fewer
-- @number[opt=2e-4] given.learning_rate its peak
-- @number[opt=0] given.warmup_ratio share of the steps in which it rises
-- @number[opt=0.01] given.weight_decay of all but biases and LayerNorm
-- @number[opt=0.1] given.temperature of the contrastive loss
-- @number[opt=1.0] given.max_grad_norm of all gradients; math.huge: no limit
-- @number[opt] given.dropout of hidden states and attention; the folder's
-- @int[opt] given.max_length most tokens of a text, as for `classifier`
-- @number[opt=0.1] given.l2 penalty of the head's weights: scikit-learn's
--   1 / C
-- @int[opt=0] given.seed of order and dropout
-- @string[opt] given.precision of the products while it learns: "bf16", "fp32"
-- @func[opt] given.on_step called with `{ step, loss, learning_rate }` and the
--   number of steps
-- @treturn classifier that pools the mean
-- @treturn table `steps`, a list of `{ step, loss, learning_rate }`;
--   `train_seconds` and `processor_seconds` of all steps and the head
-- @raise on rows without text or label, or of one label; on options out of
--   range; "interrupted" after Ctrl-C, where the program catches it
-- @usage local model = lunula.few_shot("all-MiniLM-L6-v2", rows)
-- print(model:predict("What a quiet, lovely film.").label)
return function(name_or_dir, rows, given)
  local o = options.check(given, KNOWN, "few_shot")
  check_options(o)
  local run = start(name_or_dir, rows, o)
  if o.epochs > 0 then fit_encoder(run) end
  timed(run, fit_head)
  return run.model, { steps = run.steps, train_seconds = run.seconds,
    processor_seconds = run.used }
end
