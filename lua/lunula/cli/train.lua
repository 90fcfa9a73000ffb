--- lunula train: fine-tunes a classifier, judges it, saves it.
-- @module lunula.cli.train

local arguments = require "lunula.cli.arguments"
local checkpoint = require "lunula.checkpoint"
local core = require "lunula.core"
local curve = require "lunula.curve"
local facts = require "lunula.card.files"
local fetch = require "lunula.cli.fetch"
local guarded = require "lunula.cli.guarded"
local json = require "lunula.cli.json"
local output = require "lunula.cli.output"
local progress = require "lunula.progress"
local record = require "lunula.card.record"
local rows = require "lunula.cli.rows"
local settings = require "lunula.settings"
local training = require "lunula.cli.training"

local TAUGHT = 0.5  -- the distillation_weight of a run with a teacher

-- columns of the learning curve: at least, at most, where there is no terminal
local NARROWEST, WIDEST, WIDTH = 40, 100, 79

local BEFORE = {
  { name = "model", value = "DIR|NAME", required = true,
    what = "what to start from: a folder, all-MiniLM-L6-v2, org/model" },
  { name = "train", value = "F", required = true,
    what = "labelled texts to learn from: .csv, .tsv, .jsonl" },
  { name = "validation", value = "F",
    what = "labelled texts that choose the best epoch" },
  { name = "test", value = "F", what = "labelled texts to judge it by" },
  rows.options[1], rows.options[2], rows.options[3], rows.options[4],
  { name = "labels", type = "list", value = "L,L,...",
    what = "all labels, the lowest first; those of the texts else" },
  { name = "teacher", value = "DIR|FILE.jsonl", what = "learn from its "
    .. "answers too: a model, or what lunula predict wrote" },
  { name = "output", value = "DIR", required = true,
    what = "where the model is saved" },
  training.recipe,
}

local AFTER = {
  { name = "adapter", value = "DIR",
    what = "where what LoRA learnt is saved, too, as peft does; only with "
      .. "--tune lora" },
  { name = "calibrate", type = "boolean", what = "then fit a temperature on "
    .. "the validation texts, for honest probabilities" },
}

local train = {
  name = "train",
  summary = "fine-tune a classifier and save the best of its epochs",
  positional = {},
  options = arguments.joined { BEFORE, training.options, training.of_run,
    AFTER },
  complete = training.add_recipe,
}

-- What is wrong with any of them is better known before the training.
local function read_sets(lunula, values, kind)
  local columns, sets = rows.columns(values, kind), {}
  for _, name in ipairs { "train", "validation", "test" } do
    local file = values[name]
    if file then
      sets[name] = lunula.data.read(file, columns)
      kind.check_rows(sets[name], file)
      kind.check_seen(sets[name], sets.train, file)
    end
  end
  kind.check_learnable(sets.train, values.train)
  return sets
end

-- The rows with a teacher's scores.
local function taught(lunula, list, teacher)
  if teacher:find "%.jsonl$" then return lunula.distil.read(list, teacher) end
  local bar = progress.new()
  return bar:during(lunula.distil.scores,
    lunula.classifier(fetch.model(teacher)), list,
    { on_progress = function(done, n)
      bar:part(done, n, ("asking the teacher: %d of %d"):format(done, n))
    end })
end

local function shown(kind, scores)
  local words = {}
  for i, score in ipairs(kind.shown) do
    words[i] = ("  %s %.4f"):format(score[2], scores[score[1]])
  end
  return table.concat(words)
end

local function options_of(values, validation, kind, bar)
  local _, options = settings.split(training.given(values))
  options.validation, options.checkpoint = validation, values.output
  options.checkpoint_every, options.resume = values.checkpoint_every,
    values.resume
  return training.show(options, values, bar, function(scores)
    return shown(kind, scores)
  end)
end

local function fit(lunula, model, sets, values)
  return guarded.run(values.output, function(bar)
    return lunula.train(model, sets.train,
      options_of(values, sets.validation, model.problem, bar))
  end, training.HINT)
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

-- What a card says of the training, known before it. The base may be the very
-- folder that is saved to.
local function origin_of(values, sets)
  local origin = { command = "train", base = record.base(values.model),
    options = training.given(values), files = {} }
  for name, list in pairs(sets) do
    origin.files[name] = facts.of_rows(values[name], list)
  end
  return origin
end

local function summary(lunula, origin, result, report, calibration)
  local figures = training.figures(result, lunula.version)
  for name, value in pairs(origin) do figures[name] = value end
  figures.test, figures.truncated = report, result.truncated
  figures.calibration = calibration
  return figures
end

-- whether the locale's characters are UTF-8's, as POSIX finds it
local function understands_utf8()
  for _, name in ipairs { "LC_ALL", "LC_CTYPE", "LANG" } do
    local value = os.getenv(name) or ""
    if value ~= "" then return value:lower():find "utf%-?8" ~= nil end
  end
  return false
end

local function check_adapter(values)
  if values.adapter and values.tune ~= "lora" then
    arguments.wrong("--adapter: there is one with --tune lora only")
  end
end

-- Only a teacher gives rows the scores that distillation learns from.
local function settle_teacher(values)
  arguments.needs(values, "distillation-weight", "teacher")
  values.distillation_weight = values.distillation_weight
    or values.teacher and TAUGHT or nil
end

local function check_kind(values, kind)
  if values.calibrate and not kind.is_single then
    arguments.wrong("--calibrate: not for %s", kind.name)
  elseif not values.tune_thresholds and not kind.separator then
    arguments.wrong("--no-tune-thresholds: only where a text may have "
      .. "several labels (multi_label_classification), not for %s", kind.name)
  end
end

-- A picture for who looks on: it is no result.
local function draw(result)
  local columns = core.system.columns(2)
  local width = columns and math.min(columns - 1, WIDEST) or WIDTH
  io.stderr:write(curve.text(result, {
    width = math.max(width, NARROWEST), utf8 = understands_utf8(),
  }))
end

local function tell(values, model, result, figures)
  if figures.truncated > 0 then
    io.stderr:write(("%d tokens were cut from %s by --max-length %d\n")
      :format(figures.truncated, values.train, model.max_length))
  end
  draw(result)
  -- the model's own record first: whatever fails after it, it is there
  record.write(values.output, figures)
  if figures.test then output.line(tostring(figures.test)) end
  output.flush()
  if values.json then json.write(values.json, figures) end
  io.stderr:write("saved ", values.output, "\n")
end

--- Runs the command.
-- @tparam table values of its arguments
function train.run(values)
  local begun = core.system.monotonic()
  settle_teacher(values)
  training.check(values)
  check_adapter(values)
  arguments.needs(values, "calibrate", "validation")
  local lunula = require "lunula"
  local kind = settings.problem(values.model, values)
  check_kind(values, kind)
  local sets = read_sets(lunula, values, kind)
  guarded.check_file(values, "json")
  guarded.check_folder(values, "output")
  guarded.check_folder(values, "adapter")
  if values.from_recipe then io.stderr:write(values.from_recipe, "\n") end
  if values.threads then lunula.threads(values.threads) end
  if values.teacher then
    sets.train = taught(lunula, sets.train, values.teacher)
  end
  values.problem_type = kind.name
  local folder = fetch.model(values.model)
  local origin = origin_of(values, sets)
  local model = settings.model(folder, sets.train, training.given(values),
    values.labels)
  checkpoint.make_folders(values.output)
  local result = fit(lunula, model, sets, values)
  local calibration = calibrate(lunula, model, sets, values)
  if values.adapter then model:save_adapter(values.adapter) end
  local report = sets.test and lunula.evaluate(model, sets.test)
  origin.wall_seconds = core.system.monotonic() - begun
  tell(values, model, result,
    summary(lunula, origin, result, report, calibration))
end

return train
