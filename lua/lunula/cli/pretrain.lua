--- lunula pretrain: trains an encoder further on unlabelled texts.
-- @module lunula.cli.pretrain

local arguments = require "lunula.cli.arguments"
local checkpoint = require "lunula.checkpoint"
local core = require "lunula.core"
local facts = require "lunula.card.files"
local fetch = require "lunula.cli.fetch"
local guarded = require "lunula.cli.guarded"
local json = require "lunula.cli.json"
local record = require "lunula.card.record"
local training = require "lunula.cli.training"

-- options of a training that mean something here
local SHARED = {
  "epochs", "max_steps", "batch_size", "batch_tokens", "group_by_length",
  "gradient_accumulation_steps", "learning_rate", "schedule", "max_length",
  "warmup_ratio", "weight_decay", "max_grad_norm", "dropout", "shuffle",
  "seed", "precision", "gradient_checkpointing", "validate_every", "patience",
  "freeze", "layer_decay", "gradual_unfreezing", "averaging",
  "averaging_decay", "averaging_every", "averaging_start", "mixout",
}

-- what they are here
local CHANGES = {
  learning_rate = { default = 1e-4 },
  max_length = { min = 3, default = 128,
    what = "tokens read at a time; longer texts are cut up" },
  freeze = { section = "Techniques, off unless asked for" },
}

local BEFORE = {
  { name = "model", value = "DIR|NAME", required = true,
    what = "what to start from: a folder, all-MiniLM-L6-v2, org/model" },
  { name = "texts", value = "F", required = true,
    what = "to learn from: .txt (one a line), .csv, .tsv, .jsonl" },
  { name = "validation", value = "F",
    what = "texts that choose the best epoch" },
  { name = "text", value = "COL", what = "column or field of the text" },
  { name = "output", value = "DIR", required = true,
    what = "where the model is saved" },
  { name = "masking", type = "number", value = "X", above = 0, max = 1,
    default = 0.15, what = "part of the words that are to be predicted" },
}

local pretrain = {
  name = "pretrain",
  summary = "train an encoder further on texts without labels",
  positional = {},
  options = arguments.joined { BEFORE, training.some(SHARED, CHANGES),
    training.of_run },
}

local function options_of(values, bar)
  local o = {}
  for _, name in ipairs(SHARED) do o[name] = values[name] end
  for _, name in ipairs { "validation", "text", "output", "masking",
      "checkpoint_every", "resume" } do
    o[name] = values[name]
  end
  return training.show(o, values, bar, function(scores)
    return ("  perplexity %.2f"):format(scores.perplexity)
  end)
end

-- What a card says of the training, known before it.
local function origin_of(values)
  local columns, files = { text = values.text, label = false }, {}
  for _, name in ipairs { "texts", "validation" } do
    files[name] = values[name] and facts.of_file(values[name], columns)
  end
  return { command = "pretrain", base = record.base(values.model),
    files = files }
end

local function summary(lunula, origin, values, result)
  local figures = training.figures(result, lunula.version)
  for name, value in pairs(origin) do figures[name] = value end
  figures.options = { masking = values.masking }
  for _, name in ipairs(SHARED) do figures.options[name] = values[name] end
  return figures
end

--- Runs the command.
-- @tparam table values of its arguments
function pretrain.run(values)
  local begun = core.system.monotonic()
  training.check(values)
  local lunula = require "lunula"
  guarded.check_file(values, "json")
  guarded.check_folder(values, "output")
  if values.threads then lunula.threads(values.threads) end
  local model = fetch.model(values.model)
  local origin = origin_of(values)
  checkpoint.make_folders(values.output)
  local _, result = guarded.run(values.output, function(bar)
    return lunula.pretrain(model, values.texts, options_of(values, bar))
  end, training.HINT)
  origin.wall_seconds = core.system.monotonic() - begun
  local figures = summary(lunula, origin, values, result)
  record.write(values.output, figures)
  if values.json then json.write(values.json, figures) end
  io.stderr:write("saved ", values.output, "\n")
end

return pretrain
