--- lunula train: fine-tunes a classifier, judges it, saves it.
-- @module lunula.cli.train

local core = require "lunula.core"
local checkpoint = require "lunula.checkpoint"
local arguments = require "lunula.cli.arguments"
local fetch = require "lunula.cli.fetch"
local guarded = require "lunula.cli.guarded"
local json = require "lunula.cli.json"
local labels = require "lunula.labels"
local output = require "lunula.cli.output"
local progress = require "lunula.progress"

local system = core.system

local TAUGHT = 0.5  -- the distillation_weight of a run with a teacher

local train = {
  name = "train",
  summary = "fine-tune a classifier and save the best of its epochs",
  positional = {},
  options = {
    { name = "model", value = "DIR|NAME", required = true,
      what = "what to start from: a folder, all-MiniLM-L6-v2, org/model" },
    { name = "train", value = "F", required = true,
      what = "labelled texts to learn from: .csv, .tsv, .jsonl" },
    { name = "validation", value = "F",
      what = "labelled texts that choose the best epoch" },
    { name = "test", value = "F", what = "labelled texts to judge it by" },
    { name = "text", value = "COL", what = "column or field of the text" },
    { name = "label", value = "COL", what = "column or field of the label" },
    { name = "teacher", value = "DIR|FILE.jsonl",
      what = "learn from its answers too: a model, or what lunula predict "
        .. "wrote" },
    { name = "output", value = "DIR", required = true,
      what = "where the model is saved" },
    { name = "epochs", type = "integer", value = "N", min = 1, default = 3,
      what = "passes over the texts" },
    { name = "batch-size", type = "integer", value = "N", min = 1,
      what = "texts of a batch (32)" },
    { name = "batch-tokens", type = "integer", value = "N", min = 2,
      what = "instead: the most tokens of a batch" },
    { name = "group-by-length", type = "boolean",
      what = "put texts of like length into one batch" },
    { name = "gradient-accumulation-steps", type = "integer", value = "N",
      min = 1, default = 1, what = "batches a step" },
    { name = "learning-rate", type = "number", value = "X", above = 0,
      default = 5e-5, what = "its peak" },
    { name = "max-length", type = "integer", value = "N", min = 2,
      what = "tokens kept of a text (128, or what the model has)" },
    { name = "warmup-ratio", type = "number", value = "X", min = 0, max = 1,
      default = 0.1, what = "part of the steps in which the rate rises" },
    { name = "weight-decay", type = "number", value = "X", min = 0,
      default = 0.01, what = "of all but biases and LayerNorm" },
    { name = "dropout", type = "number", value = "X", min = 0, max = 0.99,
      default = 0.1, what = "of hidden states and attention" },
    { name = "shuffle", type = "boolean", default = true,
      what = "keep the order of the file" },
    { name = "seed", type = "integer", value = "N", min = 0, max = 2^53,
      default = 0, what = "same seed, same model" },
    { name = "threads", type = "integer", value = "N", min = 1, max = 64,
      what = "processors to use; all when not given" },
    { name = "precision", value = "fp32|bf16", choices = { "fp32", "bf16" },
      default = "fp32", what = "of the arithmetic" },
    { name = "gradient-checkpointing", type = "boolean",
      what = "less memory for up to a third more time" },
    { name = "resume", type = "boolean", hidden = true },
    { name = "json", value = "FILE", what = "write the figures there" },
  },
}

-- What is wrong with any of them is better known before the training.
local function read_sets(lunula, values)
  local columns = { text = values.text, label = values.label }
  local sets = {}
  for _, name in ipairs { "train", "validation", "test" } do
    local file = values[name]
    if file then
      sets[name] = lunula.data.read(file, columns)
      labels.check_rows(sets[name], file)
      labels.check_seen(sets[name], sets.train, file)
    end
  end
  labels.check_two(sets.train, values.train)
  return sets
end

-- The rows with a teacher's scores, where there is one.
local function taught(lunula, rows, teacher)
  if not teacher then return rows end
  if teacher:find "%.jsonl$" then return lunula.distil.read(rows, teacher) end
  local bar = progress.new()
  return bar:during(lunula.distil.scores,
    lunula.classifier(fetch.model(teacher)), rows,
    { on_progress = function(done, n)
      bar:part(done, n, ("asking the teacher: %d of %d"):format(done, n))
    end })
end

local function epoch_line(entry, epochs)
  local line = ("epoch %d/%d  train loss %.4f"):format(entry.epoch, epochs,
    entry.train_loss)
  local validation = entry.validation
  if not validation then return line end
  return ("%s  validation loss %.4f  accuracy %.4f  macro F1 %.4f"):format(
    line, validation.loss, validation.accuracy, validation.macro_f1)
end

local function options_of(values, validation, bar)
  return {
    validation = validation, epochs = values.epochs,
    batch_size = values.batch_size, batch_tokens = values.batch_tokens,
    group_by_length = values.group_by_length,
    gradient_accumulation_steps = values.gradient_accumulation_steps,
    learning_rate = values.learning_rate,
    max_length = values.max_length, warmup_ratio = values.warmup_ratio,
    weight_decay = values.weight_decay, shuffle = values.shuffle,
    seed = values.seed, precision = values.precision,
    gradient_checkpointing = values.gradient_checkpointing,
    checkpoint = values.output,
    distillation_weight = values.teacher and TAUGHT or nil,
    on_step = function(info) bar:step(info) end,
    on_epoch = function(entry)
      bar:clear()
      output.line(epoch_line(entry, values.epochs))
      output.flush()
    end,
  }
end

local function fit(lunula, model, sets, values)
  return guarded.run(values.output, function(bar)
    return lunula.train(model, sets.train,
      options_of(values, sets.validation, bar))
  end)
end

local function summary(lunula, values, result, report)
  return {
    train_seconds = result.train_seconds,
    tokens_per_second = result.tokens_per_second,
    peak_rss_mib = system.peak_rss(), steps = result.steps,
    history = result.history, best_epoch = result.best_epoch, test = report,
    truncated = result.truncated,
    seed = values.seed, threads = lunula.threads(),
    precision = values.precision, version = lunula.version,
  }
end

local function refuse_what_excludes(values)
  arguments.one_of(values, "batch-size", "batch-tokens")
  if values.group_by_length and not values.shuffle then
    arguments.wrong("--group-by-length and --no-shuffle: give one of them")
  end
end

local function refuse_what_is_to_come(values)
  if values.resume then
    arguments.wrong("--resume is not in this version")
  end
end

local function tell(lunula, values, model, result, report)
  if result.truncated > 0 then
    io.stderr:write(("%d tokens were cut from %s by --max-length %d\n")
      :format(result.truncated, values.train, model.max_length))
  end
  if report then output.line(tostring(report)) end
  output.flush()
  if values.json then
    json.write(values.json, summary(lunula, values, result, report))
  end
  io.stderr:write("saved ", values.output, "\n")
end

--- Runs the command.
-- @tparam table values of its arguments
function train.run(values)
  refuse_what_is_to_come(values)
  refuse_what_excludes(values)
  local lunula = require "lunula"
  local sets = read_sets(lunula, values)
  json.check_place(values.json)
  guarded.check_output(values.output)
  if values.threads then lunula.threads(values.threads) end
  sets.train = taught(lunula, sets.train, values.teacher)
  local model = lunula.classifier(fetch.model(values.model), {
    labels = labels.of(sets.train), dropout = values.dropout,
    max_length = values.max_length, seed = values.seed })
  checkpoint.make_folders(values.output)
  local result = fit(lunula, model, sets, values)
  tell(lunula, values, model, result,
    sets.test and lunula.evaluate(model, sets.test))
end

return train
