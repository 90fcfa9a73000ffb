--- Trains an encoder further on unlabelled texts of one's own, before it is
-- fine-tuned: masked-language modelling (Devlin et al. 2019, "BERT",
-- https://arxiv.org/abs/1810.04805) on the domain's or the task's own texts
-- (Gururangan et al. 2020, "Don't Stop Pretraining",
-- https://arxiv.org/abs/2004.10964), with whole words masked, anew in each
-- epoch (Liu et al. 2019, "RoBERTa", https://arxiv.org/abs/1907.11692).
--
-- The same seed and texts give the same bits, whatever the number of threads.
-- @module lunula.pretrain

local best = require "lunula.train.best"
local check = require "lunula.check"
local checkpoint = require "lunula.checkpoint"
local core = require "lunula.core"
local descent = require "lunula.train.descent"
local grad = require "lunula.grad"
local hub = require "lunula.hub"
local masked_lm = require "lunula.pretrain.model"
local memory = require "lunula.train.memory"
local optim = require "lunula.optim"
local options = require "lunula.options"
local sampler = require "lunula.sampler"
local schedule = require "lunula.schedule"
local texts = require "lunula.pretrain.texts"

local none = options.none
local KNOWN = {
  epochs = 3, max_steps = none, batch_size = none, batch_tokens = none,
  group_by_length = false, learning_rate = 1e-4, masking = 0.15,
  max_length = 128, warmup_ratio = 0.1, schedule = "linear",
  weight_decay = 0.01, max_grad_norm = 1.0, dropout = none, shuffle = true,
  seed = 0, validation = none, validate_every = none, patience = none,
  output = none, text = none, format = none, precision = none,
  gradient_checkpointing = none, on_step = none, on_epoch = none,
}

local PRECISIONS = { fp32 = true, bf16 = true }

-- masks to judge by: the same in each validation of each run
local FIXED_SEED, FIXED_EPOCH = 0, 0

-- {======== options ========

local POSITIVE = { above = 0, most = math.huge }
local COUNT = { least = 1 }
local CHECKS = {
  epochs = { check.integer, COUNT }, max_steps = { check.integer, COUNT },
  validate_every = { check.integer, COUNT },
  patience = { check.integer, COUNT },
  masking = { check.number, { above = 0, most = 1 } },
  learning_rate = { check.number, { above = 0 } },
  warmup_ratio = { check.number, { least = 0, most = 1 } },
  weight_decay = { check.number, { least = 0 } },
  max_grad_norm = { check.number, POSITIVE },
  dropout = { check.number, check.PROBABILITY },
  schedule = { check.choice, schedule },
  precision = { check.choice, PRECISIONS },
  gradient_checkpointing = { check.boolean },
  on_step = { check.func }, on_epoch = { check.func },
  output = { check.path },
}

local function check_options(given)
  local o = options.check(given, KNOWN, "pretrain")
  for name, how in pairs(CHECKS) do
    if o[name] ~= nil then how[1](o[name], "pretrain: " .. name, how[2]) end
  end
  sampler.check(o, "pretrain")
  for _, name in ipairs { "validate_every", "patience" } do
    if o[name] and not o.validation then
      error(("pretrain: %s: there are no validation texts"):format(name), 0)
    end
  end
  return o
end

-- }========

-- {======== a step ========

local function check_finite(run, loss, norm)
  local x = loss + norm
  if x == x and x < math.huge then return end
  run.optimizer:zero_grad()
  error(("pretrain: step %d: the loss is %g and the gradients' norm %g; a "
    .. "lower learning_rate than %g may help"):format(run.step, loss, norm,
    run.options.learning_rate), 0)
end

-- Returns the loss before the step, how many tokens were predicted, and how
-- many read.
local function learn(run, numbers)
  descent.check_interrupt()
  local batch, tokens = run.texts:batch(numbers, run.epoch)
  local loss = run.model:loss(batch)
  loss:backward()
  local norm = run.optimizer:clip(run.options.max_grad_norm)
  check_finite(run, loss:item(), norm)
  run.optimizer:set_learning_rate(run.learning_rate)
  run.optimizer:step()
  return loss:item(), #batch.targets, tokens
end

local function tell_step(run, loss, tokens)
  local steps = run.result.steps
  steps[#steps + 1] = { step = run.step, loss = loss,
    learning_rate = run.learning_rate }
  if not run.options.on_step then return end
  run.options.on_step {
    step = run.step, steps = run.steps, epoch = run.epoch, loss = loss,
    learning_rate = run.learning_rate, tokens = tokens, seconds = run.seconds,
    tokens_per_second = run.tokens / run.seconds,
  }
end

local function step(run, numbers)
  local begun = core.system.monotonic()
  run.step = run.step + 1
  run.learning_rate = run.options.learning_rate * run.factor(run.step - 1)
  local loss, masked, tokens = learn(run, numbers)
  run.seconds = run.seconds + core.system.monotonic() - begun
  run.tokens = run.tokens + tokens
  run.sum, run.masked = run.sum + loss * masked, run.masked + masked
  tell_step(run, loss, tokens)
end

-- }========

-- {======== validation ========

-- The mean loss of all masked tokens, and how many they are.
local function judge(model, prepared)
  local total, masked = 0, 0
  local order = sampler.by_length(prepared.lengths)
  for _, numbers in ipairs(sampler.cut_to_read(order, nil,
      prepared.lengths)) do
    descent.check_interrupt()
    local batch = prepared:batch(numbers, FIXED_EPOCH)
    total = total + model:loss(batch):item() * #batch.targets
    masked = masked + #batch.targets
  end
  return total / masked, masked
end

local function validate(run)
  if not run.validation then return nil end
  if run.validated == run.step then return run.scores end
  run.model:train(false)
  local loss, masked = grad.no_grad(judge, run.model, run.validation)
  run.model:train(true)
  run.scores = { n = masked, loss = loss, perplexity = math.exp(loss) }
  run.validated = run.step
  run.best:see(run.scores, run.epoch, run.step)
  local list = run.result.validations
  list[#list + 1] = { step = run.step, epoch = run.epoch, scores = run.scores }
  local patience = run.options.patience
  run.stopped = patience and run.best.since >= patience or false
  return run.scores
end

-- }========

-- {======== epochs ========

local function is_over(run)
  return run.stopped or run.step == run.steps
end

local function batches(run, epoch)
  local o = run.options
  return sampler.batches(#run.texts.lengths, {
    batch_size = o.batch_size, batch_tokens = o.batch_tokens,
    group_by_length = o.group_by_length, lengths = run.texts.lengths,
    shuffle = o.shuffle, seed = o.seed, epoch = epoch,
  })
end

local function end_epoch(run)
  local entry = { epoch = run.epoch, train_loss = run.sum / run.masked }
  entry.validation = validate(run)
  local dir = run.options.output
  if dir and not run.validation then run.model:save(dir) end
  local history = run.result.history
  history[#history + 1] = entry
  if run.options.on_epoch then run.options.on_epoch(entry) end
end

local function epoch(run)
  local every = run.options.validate_every
  run.epoch, run.sum, run.masked = run.epoch + 1, 0, 0
  for _, numbers in ipairs(batches(run, run.epoch)) do
    step(run, numbers)
    if every and run.step % every == 0 then validate(run) end
    if is_over(run) then break end
  end
  end_epoch(run)
end

local function fit(run)
  while not is_over(run) do epoch(run) end
  descent.check_interrupt()
  memory.free(run)
  run.best:restore(run.step)
end

-- Where a batch is a number of tokens, each epoch has batches of its own.
local function count_steps(run)
  local o = run.options
  if o.max_steps then return o.max_steps end
  if not o.batch_tokens then return o.epochs * #batches(run, 1) end
  local steps = 0
  for i = 1, o.epochs do steps = steps + #batches(run, i) end
  return steps
end

-- }========

local function prepare_texts(model, given, what, o, seed)
  local columns = { text = o.text, format = o.format }
  return texts.new(model, texts.rows(given, what, columns), what, {
    max_length = math.min(o.max_length, model.config.max_position_embeddings),
    masking = o.masking, seed = seed,
  })
end

local function set_up(model, o)
  if o.dropout then model:set_dropout(o.dropout) end
  if o.precision then model.encoder:set_precision(o.precision) end
  model.encoder:gradient_checkpointing(o.gradient_checkpointing or false)
  model.encoder:seed(o.seed)
end

local function start(model, given, o)
  local run = {
    model = model, options = o,
    texts = prepare_texts(model, given, "pretrain", o, o.seed),
    validation = o.validation and prepare_texts(model, o.validation,
      "pretrain: validation", o, FIXED_SEED),
    step = 0, epoch = 0, seconds = 0, tokens = 0, stopped = false,
    result = { steps = {}, history = {}, validations = {} },
    optimizer = optim.adamw(model,
      { learning_rate = o.learning_rate, weight_decay = o.weight_decay }),
  }
  run.steps = count_steps(run)
  run.factor = schedule[o.schedule](run.steps,
    { warmup_ratio = o.warmup_ratio })
  run.best = best.new(model, "loss", o.output, run.steps)
  set_up(model, o)
  return run
end

local function finish(run)
  local result = run.result
  result.train_seconds = run.seconds
  result.tokens_per_second = run.tokens / run.seconds
  result.best_epoch, result.best_step = run.best.epoch, run.best.step
  result.seed, result.threads = run.options.seed, core.threads()
  result.precision = run.model.encoder.precision
  return result
end

--- Trains an encoder on texts.
-- Validation texts choose the weights that the model has at the end, by their
-- loss, under masks that are the same each time. With `output`, the model is
-- saved there each time that it is the best so far (without validation: after
-- each epoch), as a Hugging Face folder that transformers' BertForMaskedLM
-- loads and `lunula.classifier` starts from.
-- @function pretrain
-- @string name_or_dir a folder, or a name as in `hub.resolve`. A head for
--   masked tokens that it has is trained on, else a new one is made
-- @tparam string|table given a file (.txt, a text a line; .csv, .tsv, .jsonl),
--   or an array of strings or of rows with `text`. A text of more than
--   `max_length` tokens is several sequences
-- @tparam[opt] table opts
-- @int[opt=3] opts.epochs passes over the texts
-- @int[opt] opts.max_steps steps in all, however many epochs that makes
-- @int[opt=32] opts.batch_size sequences of a batch
-- @int[opt] opts.batch_tokens instead: the most tokens of a batch
-- @bool[opt=false] opts.group_by_length as in `train`
-- @number[opt=1e-4] opts.learning_rate its peak
-- @number[opt=0.15] opts.masking the share of a sequence's words that are to
--   be predicted, one at least (see `lunula.pretrain.masks`)
-- @int[opt=128] opts.max_length tokens of a sequence
-- @number[opt=0.1] opts.warmup_ratio as in `train`, and so are `schedule`,
--   `weight_decay`, `max_grad_norm`, `dropout`, `shuffle`, `patience`,
--   `validate_every`, `precision` (of the encoder: the decoder's products are
--   float32), `gradient_checkpointing`
-- @int[opt=0] opts.seed of a new head, order, masks and dropout
-- @param[opt] opts.validation texts to judge by, as `given`
-- @string[opt] opts.output folder to save to
-- @string[opt] opts.text column of the text in files
-- @string[opt] opts.format of files, as for `data.read`
-- @func[opt] opts.on_step as in `train`
-- @func[opt] opts.on_epoch called with an entry of `history`
-- @treturn table the model (see `lunula.pretrain.model`)
-- @treturn table `steps`, `{step, loss, learning_rate}`; `history`, of
--   `{epoch, train_loss, validation}`, where `validation` has `n` (tokens
--   predicted), `loss` and `perplexity`; and as from `train`: `validations`,
--   `best_epoch`, `best_step`, `train_seconds`, `tokens_per_second`, `seed`,
--   `threads`, `precision`
-- @raise when texts or options are wrong; when the loss is not finite;
--   "interrupted" after Ctrl-C, where the program catches it
-- @usage lunula.pretrain("all-MiniLM-L6-v2", "reviews.txt",
--   { epochs = 3, output = "my-encoder" })
-- local model = lunula.classifier("my-encoder", { labels = { "no", "yes" } })
return function(name_or_dir, given, opts)
  local o = check_options(opts)
  local model = masked_lm.from(checkpoint.read(hub.resolve(name_or_dir)),
    o.seed)
  local run = start(model, given, o)
  model:train(true)
  local ok, why = pcall(fit, run)
  model:train(false)
  run.best:forget()
  memory.free(run)
  if not ok then error(why, 0) end
  return model, finish(run)
end
