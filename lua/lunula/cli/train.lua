--- lunula train: fine-tunes a classifier, judges it, saves it.
-- @module lunula.cli.train

local core = require "lunula.core"
local checkpoint = require "lunula.checkpoint"
local arguments = require "lunula.cli.arguments"
local fetch = require "lunula.cli.fetch"
local json = require "lunula.cli.json"
local labels = require "lunula.labels"
local output = require "lunula.cli.output"
local progress = require "lunula.progress"

local files, system = core.io, core.system

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
    { name = "calibrate", type = "boolean", what = "then fit a temperature on "
      .. "the validation texts, for honest probabilities" },
    { name = "text", value = "COL", what = "column or field of the text" },
    { name = "label", value = "COL", what = "column or field of the label" },
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
    on_step = function(info) bar:step(info) end,
    on_epoch = function(entry)
      bar:clear()
      output.line(epoch_line(entry, values.epochs))
      output.flush()
    end,
  }
end

local function saved_model(folder)
  local _, _, id = files.stat(folder .. "/config.json")
  return id
end

local function explain_interruption(folder, before)
  local saved = saved_model(folder)
  if saved and saved ~= before then
    error("interrupted; the last checkpoint stays in " .. folder, 0)
  end
  error("interrupted before there was a checkpoint", 0)
end

-- Ctrl-C ends the training after a step, not in the middle of one
local function fit(lunula, model, sets, values)
  local bar, before = progress.new(), saved_model(values.output)
  system.catch_interrupt(true)
  local ok, result = pcall(bar.during, bar, lunula.train, model, sets.train,
    options_of(values, sets.validation, bar))
  system.catch_interrupt(false)
  if ok then return result end
  if result == "interrupted" then
    explain_interruption(values.output, before)
  end
  error(result, 0)
end

-- Fits a temperature and saves the model with it. A model that none is best
-- for stays as it was trained: that is no failure, but said. Returns the
-- figures, nil when nobody asked for them.
local function calibrate(lunula, model, sets, values)
  if not values.calibrate then return nil end
  local done, why = lunula.calibrate(model, sets.validation)
  if not done then
    io.stderr:write("not calibrated by ", values.validation, ": ", why, "\n")
    return { reason = why }
  end
  model:save(values.output)
  output.line(("calibrated: temperature %.4f  validation loss %.4f -> %.4f  "
    .. "ECE %.4f -> %.4f"):format(done.temperature, done.before.loss,
    done.after.loss, done.before.ece, done.after.ece))
  return done
end

local function summary(lunula, values, result, report, calibration)
  return {
    train_seconds = result.train_seconds,
    tokens_per_second = result.tokens_per_second,
    peak_rss_mib = system.peak_rss(), steps = result.steps,
    history = result.history, best_epoch = result.best_epoch, test = report,
    truncated = result.truncated, calibration = calibration,
    seed = values.seed, threads = lunula.threads(),
    precision = values.precision, version = lunula.version,
  }
end

local function refuse_what_excludes(values)
  arguments.one_of(values, "batch-size", "batch-tokens")
  if values.group_by_length and not values.shuffle then
    arguments.wrong("--group-by-length and --no-shuffle: give one of them")
  end
  if values.calibrate and not values.validation then
    arguments.wrong("--calibrate: only with --validation")
  end
end

local function refuse_what_is_to_come(values)
  if values.resume then
    arguments.wrong("--resume is not in this version")
  end
end

local function check_output(folder)
  local kind = folder == "" and "nothing" or files.stat(folder)
  if kind and kind ~= "folder" then
    error(("--output: '%s' is no folder"):format(folder), 0)
  end
end

local function tell(lunula, values, model, result, report, calibration)
  if result.truncated > 0 then
    io.stderr:write(("%d tokens were cut from %s by --max-length %d\n")
      :format(result.truncated, values.train, model.max_length))
  end
  if report then output.line(tostring(report)) end
  output.flush()
  if values.json then
    json.write(values.json, summary(lunula, values, result, report,
      calibration))
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
  check_output(values.output)
  if values.threads then lunula.threads(values.threads) end
  local model = lunula.classifier(fetch.model(values.model), {
    labels = labels.of(sets.train), dropout = values.dropout,
    max_length = values.max_length, seed = values.seed })
  checkpoint.make_folders(values.output)
  local result = fit(lunula, model, sets, values)
  local calibration = calibrate(lunula, model, sets, values)
  tell(lunula, values, model, result,
    sets.test and lunula.evaluate(model, sets.test), calibration)
end

return train
