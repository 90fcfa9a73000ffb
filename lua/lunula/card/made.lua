--- The sections of a card that say what the model is and how it was trained.
-- @module lunula.card.made

local footprint = require "lunula.card.footprint"
local labels = require "lunula.labels"
local markdown = require "lunula.card.markdown"
local options = require "lunula.options"
local scores = require "lunula.card.scores"

local made = {}

local is_number = scores.is_number

-- {======== the model ========

local TASKS = {
  ["text-classification"] = "a text classifier",
  ["fill-mask"] = "a masked-language model, which knows words from their "
    .. "surroundings and no labels yet",
  ["feature-extraction"] = "an encoder, which makes vectors of texts",
}

local REGRESSION = "a regression model of texts"

local PROBLEMS = {
  single_label_classification = "one of its labels for each text",
  multi_label_classification = "any number of its labels for each text",
  regression = "a number for each text",
  ordinal = "one of its labels, which have an order, for each text",
}

-- a name of a folder or model that is fit to stand in code
local function code_name(name)
  return name:find "^[%w._/-]+$" and name or "my-model"
end

local function parameters(n)
  return n < 1e6 and scores.count(n) .. " parameters"
    or ("%.1f million parameters"):format(n / 1e6)
end

--- The paragraph that a card begins with.
-- @tparam table facts
-- @treturn string
function made.summary(facts)
  local model, shape = facts.model, facts.model.shape
  local task = model.problem == "regression" and REGRESSION
    or TASKS[model.task]
  local text = ("This is %s: %s with %d layers of %d and %s"):format(
    task, markdown.line(tostring(shape.model_type or "bert")),
    shape.num_hidden_layers, shape.hidden_size, parameters(model.parameters))
  if model.problem then
    text = text .. ". It says " .. PROBLEMS[model.problem]
    if #model.labels > 0 then
      text = text .. ": " .. markdown.line(labels.listed(model.labels))
    end
  end
  return text .. "."
end

local function tokens_of(model)
  if is_number(model.max_length) then
    return ("at most %d tokens"):format(model.max_length)
  end
  return "unknown"
end

local function honesty_of(model)
  if is_number(model.temperature) then
    return ("calibrated, by a temperature of %.4f"):format(model.temperature)
  end
  return "not calibrated"
end

local function add_head(rows, model)
  if not model.problem then return end
  rows[#rows + 1] = { "Reads of a text", tokens_of(model) }
  rows[#rows + 1] = { "Pooling", model.pooling }
  if model.problem == "single_label_classification" then
    rows[#rows + 1] = { "Probabilities", honesty_of(model) }
  end
  for i, threshold in ipairs(model.thresholds or {}) do
    rows[#rows + 1] = { ("Threshold of %s"):format(
      markdown.line(model.labels[i])), ("%.4f"):format(threshold) }
  end
end

local PRECISIONS = {
  fp32 = "32-bit floating point", int8 = "quantized to 8 bits by lunula",
}

--- The table of what the model is.
-- @tparam table facts
-- @treturn string
function made.model(facts)
  local model, shape = facts.model, facts.model.shape
  local rows = {
    { "Parameters", scores.count(model.parameters) },
    { "Layers", ("%d of %d, %d heads, %d inside"):format(
      shape.num_hidden_layers, shape.hidden_size, shape.num_attention_heads,
      shape.intermediate_size) },
    { "Vocabulary", scores.count(shape.vocab_size) },
    { "Attention", model.attention },
    { "Weights", PRECISIONS[model.precision] },
  }
  if model.has_adapters then rows[#rows + 1] = { "Adapters", "yes" } end
  add_head(rows, model)
  if model.sha256 then
    rows[#rows + 1] = { "SHA-256 of model.safetensors",
      "`" .. model.sha256 .. "`" }
  end
  return markdown.table({ "", "" }, rows, 2)
end

-- }========

-- {======== how to use it ========

local IN_LUNULA = {
  ["text-classification"] = [[
```lua
local lunula = require "lunula"
local model = lunula.classifier "%s"
local answer = model:predict "A text."
```]],
  ["fill-mask"] = [[
```sh
lunula train --model %s --train texts.csv --output my-classifier
```]],
  ["feature-extraction"] = [[
```lua
local lunula = require "lunula"
local embedder = lunula.embedder "%s"
```]],
}

--- How the model is used.
-- @tparam table facts
-- @treturn string
function made.use(facts)
  local name, model = code_name(facts.name), facts.model
  local parts = { IN_LUNULA[model.task]:format(name) }
  if model.library == "transformers" then
    parts[2] = ('```python\nfrom transformers import pipeline\n'
      .. 'model = pipeline("%s", model="%s")\n```'):format(model.task, name)
  else
    parts[2] = "It is for lunula: transformers would not load it, or not "
      .. "answer the same."
  end
  return table.concat(parts, "\n\n")
end

-- }========

-- {======== the training ========

-- " on notes.txt": what a model that was trained on had learnt from
local function learnt_from(before)
  local of_training = type(before.files) == "table" and before.files or {}
  local file = of_training.texts or of_training.train
  if type(file) ~= "table" or type(file.file) ~= "string" then return "" end
  return " on " .. markdown.line(file.file)
end

local function base_line(base)
  local line = markdown.line(tostring(base.hub or base.name))
  local before = type(base.record) == "table" and base.record
  if type(base.licence) == "string" then
    line = line .. (" (licence: %s)"):format(markdown.line(base.licence))
  elseif not base.hub and not before then
    line = line .. " (a folder of which nothing more is known)"
  end
  if before and type(before.base) == "table" then
    line = ("%s, which was trained%s from %s"):format(line,
      learnt_from(before), base_line(before.base))
  end
  return line
end

local function from_of(training)
  if type(training.base) ~= "table" then
    return "Unknown: nobody said which model it was trained from."
  end
  return "Trained from " .. base_line(training.base) .. "."
end

local function shown_option(value)
  if type(value) == "table" then
    local words = {}
    for i, item in ipairs(value) do words[i] = tostring(item) end
    return table.concat(words, ", ")
  end
  return is_number(value) and ("%.14g"):format(value) or tostring(value)
end

local function options_of(training)
  local given = training.options
  if type(given) ~= "table" or not next(given) then
    return "Unknown: nobody noted the options of the training."
  end
  local rows = {}
  for _, name in ipairs(options.names(given)) do
    rows[#rows + 1] = { "`" .. tostring(name):gsub("[^%w_]", "") .. "`",
      markdown.line(shown_option(given[name])) }
  end
  return markdown.table({ "Option", "Value" }, rows)
end

-- The measures of an epoch that the command line shows too, and the loss.
local function columns_of(history, model)
  local wanted, columns = { loss = true, perplexity = true }, {}
  for _, score in ipairs(model.shown or {}) do wanted[score[1]] = true end
  for _, score in ipairs(scores.of(history[1].validation or {})) do
    if wanted[score.name] then columns[#columns + 1] = score end
  end
  return columns
end

local function entries_of(training)
  local list = {}
  for _, entry in ipairs(type(training.history) == "table"
      and training.history or {}) do
    if type(entry) == "table" and is_number(entry.epoch) then
      list[#list + 1] = { epoch = entry.epoch, train_loss = entry.train_loss,
        validation = type(entry.validation) == "table" and entry.validation
          or nil }
    end
  end
  return list
end

local function history_of(training, model)
  local history = entries_of(training)
  if #history == 0 then return nil end
  local header, rows = { "Epoch", "Train loss" }, {}
  local columns = columns_of(history, model)
  for _, column in ipairs(columns) do
    header[#header + 1] = "Validation: " .. column.title
  end
  for i, entry in ipairs(history) do
    local is_best = entry.epoch == training.best_epoch
    rows[i] = { ("%.0f%s"):format(entry.epoch, is_best and " (kept)" or ""),
      scores.shown("loss", entry.train_loss) }
    for _, column in ipairs(columns) do
      table.insert(rows[i], scores.shown(column.name,
        entry.validation and entry.validation[column.name]))
    end
  end
  return markdown.table(header, rows)
end

local function changed_of(training)
  return training.is_changed and "The weights are not those that this training "
    .. "left: since then the model was calibrated, quantized or trained on."
    or nil
end

--- The section of the training.
-- @tparam table facts
-- @treturn string
function made.training(facts)
  local training = facts.training
  if not next(training) then
    return "Unknown: nobody noted how the model was trained (`lunula train` "
      .. "leaves training.json in its folder)."
  end
  local parts = { from_of(training) }
  parts[#parts + 1] = changed_of(training)
  parts[#parts + 1] = options_of(training)
  parts[#parts + 1] = history_of(training, facts.model)
  return table.concat(parts, "\n\n")
end

-- }========

-- {======== carbon dioxide ========

--- The seconds of the training, and of the one before it.
-- @tparam table training
-- @treturn ?number nil where nobody measured them
function made.seconds(training)
  local seconds = training.wall_seconds or training.train_seconds
  if not is_number(seconds) or seconds < 0 then return nil end
  local base = training.base
  local before = type(base) == "table" and type(base.record) == "table"
    and (base.record.wall_seconds or base.record.train_seconds)
  return seconds + (is_number(before) and math.max(0, before) or 0)
end

--- The section of what the training cost the climate.
-- @tparam table facts
-- @treturn string
function made.footprint(facts)
  local seconds = made.seconds(facts.training)
  if not seconds then
    return "Unknown: nobody noted how long the training took."
  end
  return ("%s\n\nThat is %s / 3600 x %g W / 1000 x %g g/kWh. The time was "
    .. "measured; watts and grams of CO2 a kWh are assumptions "
    .. "(`--watts`, `--grid-intensity`). What others spent on the model that "
    .. "it was trained from is not in it."):format(
    footprint.line(seconds, facts.watts, facts.intensity),
    footprint.duration(seconds), facts.watts, facts.intensity)
end

-- }========

return made
