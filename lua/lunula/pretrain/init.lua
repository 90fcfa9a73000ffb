--- Trains an encoder further on unlabelled texts of one's own, before it is
-- fine-tuned: masked-language modelling (Devlin et al. 2019, "BERT",
-- https://arxiv.org/abs/1810.04805) on the domain's or the task's own texts
-- (Gururangan et al. 2020, "Don't Stop Pretraining",
-- https://arxiv.org/abs/2004.10964), with whole words masked, anew in each
-- epoch (Liu et al. 2019, "RoBERTa", https://arxiv.org/abs/1907.11692).
--
-- The steps are those of `lunula.train`; what is learnt in one, and how it is
-- judged, is said here. The same seed and texts give the same bits, whatever
-- the number of threads.
-- @module lunula.pretrain

local check = require "lunula.check"
local checkpoint = require "lunula.checkpoint"
local descent = require "lunula.train.descent"
local grad = require "lunula.grad"
local hub = require "lunula.hub"
local masked_lm = require "lunula.pretrain.model"
local options = require "lunula.options"
local plan = require "lunula.train.plan"
local sampler = require "lunula.sampler"
local texts = require "lunula.pretrain.texts"
local train = require "lunula.train"

-- masks to judge by: the same in each validation of each run
local FIXED_SEED, FIXED_EPOCH = 0, 0

-- {======== options ========

-- options of `train` that mean something where there are no labels
local SHARED = {
  "epochs", "max_steps", "batch_size", "batch_tokens", "group_by_length",
  "gradient_accumulation_steps", "learning_rate", "max_length",
  "warmup_ratio", "schedule", "weight_decay", "max_grad_norm", "dropout",
  "shuffle", "seed", "validation", "validate_every", "patience", "keep_best",
  "checkpoint_every", "resume", "precision", "gradient_checkpointing",
  "freeze", "layer_decay", "gradual_unfreezing", "averaging",
  "averaging_decay", "averaging_every", "averaging_start", "mixout",
  "on_step", "on_epoch",
}

local none = options.none
local OWN = { learning_rate = 1e-4, max_length = 128, masking = 0.15,
  output = none, text = none, format = none }

local function known_options()
  local known = {}
  for _, name in ipairs(SHARED) do known[name] = train.options[name] end
  for name, default in pairs(OWN) do known[name] = default end
  return known
end

-- options that mean nothing without another, and what there is not then
local NEEDS = {
  validate_every = { "validation", "there are no validation texts" },
  patience = { "validation", "there are no validation texts" },
  checkpoint_every = { "output", "there is no output, the folder to save to" },
  resume = { "output", "there is no output, the folder to save to" },
}

local function check_options(given)
  local o = options.check(given, known_options(), "pretrain")
  check.number(o.masking, "pretrain: masking", { above = 0, most = 1 })
  check.integer(o.max_length, "pretrain: max_length", { least = 3 })
  if o.output then check.path(o.output, "pretrain: output") end
  for _, name in ipairs(options.names(NEEDS)) do
    local other, message = NEEDS[name][1], NEEDS[name][2]
    if o[name] and not o[other] then
      error(("pretrain: %s: %s"):format(name, message), 0)
    end
  end
  o.checkpoint, o.output = o.output, nil
  plan.check(train.complete(o))
  return o
end

-- }========

-- {======== a step ========

-- The batches of a group, masked; how many tokens are to be predicted in all,
-- and how many are read.
local function read(run, group)
  local batches, masked, tokens = {}, 0, 0
  for i, numbers in ipairs(group) do
    local batch, read_of_it = run.plan.texts:batch(numbers, run.epoch)
    batches[i] = batch
    masked, tokens = masked + #batch.targets, tokens + read_of_it
  end
  return batches, masked, tokens
end

-- The gradients of a group of batches: those of one batch of all its texts.
local function learn(run, group)
  local batches, masked, tokens = read(run, group)
  local sum = 0
  for _, batch in ipairs(batches) do
    descent.check_interrupt()
    local loss = run.model:loss(batch) * (#batch.targets / masked)
    loss:backward()
    sum = sum + loss:item()
  end
  return sum, tokens, masked
end

-- }========

-- {======== validation ========

-- The mean loss of all masked tokens, and how many they are.
local function mean_loss(model, prepared)
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

local function judge(run)
  run.model:train(false)
  local loss, masked = grad.no_grad(mean_loss, run.model,
    run.plan.validation)
  run.model:train(true)
  return { n = masked, loss = loss, perplexity = math.exp(loss) }
end

-- }========

local function prepare_texts(model, given, what, o, seed)
  local columns = { text = o.text, format = o.format }
  return texts.new(model, texts.rows(given, what, columns), what, {
    max_length = math.min(o.max_length, model.config.max_position_embeddings),
    masking = o.masking, seed = seed,
  })
end

local function make_plan(model, given, o)
  local prepared = prepare_texts(model, given, "pretrain", o, o.seed)
  local made = plan.steps(o, prepared.lengths)
  made.texts, made.tokens, made.metric = prepared, prepared.tokens, "loss"
  made.validation = o.validation and prepare_texts(model, o.validation,
    "pretrain: validation", o, FIXED_SEED)
  return made
end

local function run(name_or_dir, given, opts)
  local o = check_options(opts)
  local model = masked_lm.from(checkpoint.read(hub.resolve(name_or_dir)),
    o.seed)
  return model, train.fit(train.start(model, o, make_plan(model, given, o),
    { descend = descent.by(learn), judge = judge }))
end

-- What `lunula.train` refuses was asked of a pre-training.
local function in_own_name(ok, model, result)
  if ok then return model, result end
  local why = model
  error(type(why) == "string" and why:gsub("^train: ", "pretrain: ") or why, 0)
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
-- @number[opt=1e-4] opts.learning_rate its peak
-- @number[opt=0.15] opts.masking the share of a sequence's words that are to
--   be predicted, one at least (see `lunula.pretrain.masks`)
-- @int[opt=128] opts.max_length tokens of a sequence
-- @number[opt=0.1] opts.warmup_ratio as in `train`, and so are `schedule`,
--   `weight_decay`, `max_grad_norm`, `dropout`, `shuffle`, `group_by_length`,
--   `gradient_accumulation_steps`, `patience`, `validate_every`, `keep_best`,
--   `precision` (of the encoder: the decoder's products are float32),
--   `gradient_checkpointing`; and of its techniques `freeze`, `layer_decay`,
--   `gradual_unfreezing`, `averaging` and what belongs to it, `mixout`
-- @int[opt=0] opts.seed of a new head, order, masks and dropout
-- @param[opt] opts.validation texts to judge by, as `given`
-- @string[opt] opts.output folder to save to, as `checkpoint` of `train`
-- @bool[opt=false] opts.resume as in `train`, and so is `checkpoint_every`:
--   goes on from what was left in `output`
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
  return in_own_name(pcall(run, name_or_dir, given, opts))
end
