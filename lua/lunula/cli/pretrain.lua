--- lunula pretrain: trains an encoder further on unlabelled texts.
-- @module lunula.cli.pretrain

local core = require "lunula.core"
local arguments = require "lunula.cli.arguments"
local checkpoint = require "lunula.checkpoint"
local fetch = require "lunula.cli.fetch"
local guarded = require "lunula.cli.guarded"
local json = require "lunula.cli.json"
local output = require "lunula.cli.output"

local pretrain = {
  name = "pretrain",
  summary = "train an encoder further on texts without labels",
  positional = {},
  options = {
    { name = "model", value = "DIR|NAME", required = true,
      what = "what to start from: a folder, all-MiniLM-L6-v2, org/model" },
    { name = "texts", value = "F", required = true,
      what = "to learn from: .txt (one a line), .csv, .tsv, .jsonl" },
    { name = "validation", value = "F",
      what = "texts that choose the best epoch" },
    { name = "text", value = "COL", what = "column or field of the text" },
    { name = "output", value = "DIR", required = true,
      what = "where the model is saved" },
    { name = "epochs", type = "integer", value = "N", min = 1, default = 3,
      what = "passes over the texts" },
    { name = "max-steps", type = "integer", value = "N", min = 1,
      what = "steps in all, instead" },
    { name = "batch-size", type = "integer", value = "N", min = 1,
      what = "texts of a batch (32)" },
    { name = "batch-tokens", type = "integer", value = "N", min = 2,
      what = "instead: the most tokens of a batch" },
    { name = "group-by-length", type = "boolean",
      what = "put texts of like length into one batch" },
    { name = "learning-rate", type = "number", value = "X", above = 0,
      default = 1e-4, what = "its peak" },
    { name = "masking", type = "number", value = "X", above = 0, max = 1,
      default = 0.15, what = "part of the words that are to be predicted" },
    { name = "max-length", type = "integer", value = "N", min = 3,
      default = 128, what = "tokens read at a time; longer texts are cut up" },
    { name = "warmup-ratio", type = "number", value = "X", min = 0, max = 1,
      default = 0.1, what = "part of the steps in which the rate rises" },
    { name = "weight-decay", type = "number", value = "X", min = 0,
      default = 0.01, what = "of all but biases and LayerNorm" },
    { name = "dropout", type = "number", value = "X", min = 0, max = 0.99,
      default = 0.1, what = "of hidden states and attention" },
    { name = "shuffle", type = "boolean", default = true,
      what = "keep the order of the file" },
    { name = "patience", type = "integer", value = "N", min = 1,
      what = "stop after so many epochs without a better one" },
    { name = "seed", type = "integer", value = "N", min = 0, max = 2^53,
      default = 0, what = "same seed, same model" },
    { name = "threads", type = "integer", value = "N", min = 1, max = 64,
      what = "processors to use; all when not given" },
    { name = "precision", value = "fp32|bf16", choices = { "fp32", "bf16" },
      default = "fp32", what = "of the arithmetic" },
    { name = "gradient-checkpointing", type = "boolean",
      what = "less memory for up to a third more time" },
    { name = "json", value = "FILE", what = "write the figures there" },
  },
}

-- options that lunula.pretrain has by the same names
local SAME = { "validation", "text", "output", "epochs", "max_steps",
  "batch_size", "batch_tokens", "group_by_length", "learning_rate", "masking",
  "max_length", "warmup_ratio", "weight_decay", "dropout", "shuffle",
  "patience", "seed", "precision", "gradient_checkpointing" }

local function epoch_line(entry, values)
  local of = values.max_steps and "" or "/" .. values.epochs
  local line = ("epoch %d%s  train loss %.4f"):format(entry.epoch, of,
    entry.train_loss)
  local validation = entry.validation
  if not validation then return line end
  return ("%s  validation loss %.4f  perplexity %.2f"):format(line,
    validation.loss, validation.perplexity)
end

local function options_of(values, bar)
  local o = {}
  for _, name in ipairs(SAME) do o[name] = values[name] end
  function o.on_step(info) bar:step(info) end
  function o.on_epoch(entry)
    bar:clear()
    output.line(epoch_line(entry, values))
    output.flush()
  end
  return o
end

local function summary(lunula, result)
  return {
    train_seconds = result.train_seconds,
    tokens_per_second = result.tokens_per_second,
    peak_rss_mib = core.system.peak_rss(), steps = result.steps,
    history = result.history, best_epoch = result.best_epoch,
    seed = result.seed, threads = result.threads,
    precision = result.precision, version = lunula.version,
  }
end

local function check(values)
  arguments.one_of(values, "batch-size", "batch-tokens")
  if values.group_by_length and not values.shuffle then
    arguments.wrong("--group-by-length and --no-shuffle: give one of them")
  end
  arguments.needs(values, "patience", "validation")
end

--- Runs the command.
-- @tparam table values of its arguments
function pretrain.run(values)
  check(values)
  local lunula = require "lunula"
  json.check_place(values.json)
  guarded.check_folder(values, "output")
  if values.threads then lunula.threads(values.threads) end
  local model = fetch.model(values.model)
  checkpoint.make_folders(values.output)
  local _, result = guarded.run(values.output, function(bar)
    return lunula.pretrain(model, values.texts, options_of(values, bar))
  end)
  if values.json then json.write(values.json, summary(lunula, result)) end
  io.stderr:write("saved ", values.output, "\n")
end

return pretrain
