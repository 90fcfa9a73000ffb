--- The options of a training as they are typed: each has the name that
-- `lunula.train` or `lunula.classifier` gives it, with dashes. What stands in
-- the list here can be given to `lunula train` and set by recipes and sweeps.
-- @module lunula.cli.training

local arguments = require "lunula.cli.arguments"
local core = require "lunula.core"
local labels = require "lunula.labels"
local output = require "lunula.cli.output"
local problem = require "lunula.problem"
local recipes = require "lunula.recipes"
local techniques = require "lunula.train.techniques"

local training = {}

local unpack = table.unpack or unpack  -- luacheck: ignore

-- those of all types of problems, each once
local function metrics()
  local all = {}
  for name in pairs(problem.TYPES) do
    for _, score in ipairs(problem.of(name, "metric").scores) do
      if score ~= "n" then all[#all + 1] = score end
    end
  end
  return labels.distinct(all)
end

--- The options, as `lunula.cli.arguments` declares them.
training.options = {
  { name = "problem-type", value = "TYPE", choices = {
    "single_label_classification", "multi_label_classification", "regression",
    "ordinal" }, what = "what is learnt: single_label_classification (when "
      .. "not given), multi_label_classification, regression, ordinal" },

  { section = "The model",
    name = "pooling", value = "NAME", choices = { "pooler", "first", "mean" },
    what = "what the head sees: pooler, first, mean (pooler)" },
  { name = "max-length", type = "integer", value = "N", min = 2,
    what = "tokens kept of a text (128, or what the model has)" },
  { name = "attention", value = "NAME",
    choices = { "bidirectional", "causal" },
    what = "bidirectional, or causal: a token sees none behind it; as the "
      .. "model has it when not given" },
  { name = "adapter-size", type = "integer", value = "N", min = 1,
    what = "put bottleneck adapters into each layer (see --tune adapters)" },
  { name = "new-head", type = "boolean",
    what = "leave out the head of a model that learnt another task" },

  { section = "The training",
    name = "epochs", type = "integer", value = "N", min = 1, default = 3,
    what = "passes over the texts" },
  { name = "max-steps", type = "integer", value = "N", min = 1,
    what = "instead: steps in all" },
  { name = "batch-size", type = "integer", value = "N", min = 1,
    what = "texts of a batch (32)" },
  { name = "batch-tokens", type = "integer", value = "N", min = 2,
    what = "instead: the most tokens of a batch" },
  { name = "group-by-length", type = "boolean",
    what = "put texts of like length into one batch" },
  { name = "gradient-accumulation-steps", type = "integer", value = "N",
    min = 1, default = 1, what = "batches a step" },
  { name = "shuffle", type = "boolean", default = true,
    what = "keep the order of the file" },
  { name = "learning-rate", type = "number", value = "X", above = 0,
    default = 5e-5, what = "its peak" },
  { name = "schedule", value = "NAME",
    choices = { "linear", "cosine", "constant" },
    what = "of the rate after its rise: linear, cosine, constant (linear)" },
  { name = "warmup-ratio", type = "number", value = "X", min = 0, max = 1,
    default = 0.1, what = "part of the steps in which the rate rises" },
  { name = "weight-decay", type = "number", value = "X", min = 0,
    default = 0.01, what = "of all but biases and LayerNorm" },
  { name = "max-grad-norm", type = "number", value = "X", above = 0,
    what = "of all gradients, which are scaled down to it (1)" },
  { name = "dropout", type = "number", value = "X", min = 0, max = 0.99,
    default = 0.1, what = "of hidden states and attention" },
  { name = "label-smoothing", type = "number", value = "X", min = 0, max = 1,
    what = "part of a label's weight that all labels share (0)" },
  { name = "class-weights", value = "balanced", choices = { "balanced" },
    what = "as if each label were as frequent" },
  { name = "seed", type = "integer", value = "N", min = 0, max = 2^53,
    default = 0, what = "same seed, same model" },
  { name = "precision", value = "fp32|bf16", choices = { "fp32", "bf16" },
    default = "fp32", what = "of the arithmetic" },
  { name = "gradient-checkpointing", type = "boolean",
    what = "less memory for up to a third more time" },

  { section = "What is kept of it, by the validation texts",
    name = "metric", value = "NAME", choices = metrics(),
    what = "the score that says what is best; when not given accuracy, "
      .. "macro_f1 of several labels, mse of a regression, mae of ordinal "
      .. "labels" },
  { name = "validate-every", type = "integer", value = "N", min = 1,
    what = "judge after so many steps, too" },
  { name = "patience", type = "integer", value = "N", min = 1,
    what = "stop after so many validations without a better one" },
  { name = "tune-thresholds", type = "boolean", default = true,
    what = "several labels: each is said from 0.5 on" },
}

--- The options of what trains and saves on its way, beside what it learns.
training.of_run = {
  { section = "This run",
    name = "threads", type = "integer", value = "N", min = 1, max = 64,
    what = "processors to use; all when not given" },
  { name = "checkpoint-every", type = "integer", value = "N", min = 1,
    what = "steps after which --resume may go on, beside each epoch's end" },
  { name = "resume", type = "boolean",
    what = "go on from where the same command was stopped" },
  { name = "json", value = "FILE", what = "write the figures there" },
}

--- What is said after Ctrl-C, behind the folder's name.
training.HINT = ", --resume goes on from it"

local VALUES = { number = "X", integer = "N", choice = "NAME",
  strings = "A,B" }
local TYPES = { number = "number", integer = "integer", boolean = "boolean",
  strings = "list" }

-- headings, by the first option below
local SECTIONS = {
  tune = "Which parameters learn", focal_gamma = "Techniques, off unless asked"
    .. " for",
}

local function dashed(name)
  return (name:gsub("_", "-"))
end

local function with_needs(option)
  local needs = option.needs
  if not needs then return option.what end
  return ("%s; only with --%s"):format(option.what,
    dashed(table.concat(needs, " ")))
end

-- an option of a technique, as it is typed
local function typed(option)
  return {
    name = dashed(option.name), what = with_needs(option),
    section = SECTIONS[option.name], needs = option.needs,
    type = TYPES[option.type],
    value = VALUES[option.type], choices = option.choices,
    min = option.least, max = option.most, above = option.above,
    below = option.below,
  }
end

for _, option in ipairs(techniques.options()) do
  training.options[#training.options + 1] = typed(option)
end

--- The option that names a recipe.
training.recipe = { name = "recipe", value = "NAME",
  choices = recipes.names(), what = "options to begin with: "
    .. table.concat(recipes.names(), ", ") }

local function name_of(option)
  return (option.name:gsub("-", "_"))
end

--- The names of the options, as Lua has them.
-- @treturn {string,...}
function training.names()
  local names = {}
  for i, option in ipairs(training.options) do names[i] = name_of(option) end
  return names
end

--- What a command's values say of the training.
-- @tparam table values of its arguments
-- @treturn table flat options, as for `lunula.settings`
function training.given(values)
  local given = {}
  for _, name in ipairs(training.names()) do given[name] = values[name] end
  return given
end

--- The defaults of the options that have one.
-- @treturn table
function training.defaults()
  local defaults = {}
  for _, option in ipairs(training.options) do
    defaults[name_of(option)] = option.default
  end
  return defaults
end

--- Adds what a recipe says of options that were not given; `from_recipe` says
-- in words what that is.
-- @tparam table values of a command's arguments, with `recipe` or not
function training.add_recipe(values)
  if not values.recipe then return end
  local added, options = {}, recipes.resolve(values.recipe, values,
    values.problem_type)
  for _, name in ipairs(training.names()) do
    if values[name] == nil and options[name] ~= nil then
      values[name] = options[name]
      added[#added + 1] = name .. " " .. tostring(options[name])
    end
  end
  values.from_recipe = ("recipe %s: %s"):format(values.recipe,
    table.concat(added, ", "))
end

-- Whether there is what an option means nothing without.
local function is_of_use(option, values)
  local name, wanted = unpack(option.needs or {})
  if name == nil then return true end
  if wanted ~= nil then return values[name] == wanted end
  return values[name] ~= nil
end

--- The words of a command line that repeats a training.
-- @tparam table options flat; those that mean nothing beside the others have
--   no words
-- @treturn {string,...}
-- @usage local words = training.words { epochs = 2, dropout = 0 }
function training.words(options)
  local of_use = {}
  for _, option in ipairs(training.options) do
    if is_of_use(option, options) then of_use[#of_use + 1] = option end
  end
  return arguments.words(of_use, options)
end

--- Some of the options, for a command that offers no others.
-- @tparam {string,...} names as Lua has them
-- @tparam table changes by name, what an option says otherwise
-- @treturn {table,...} in the order of `options`, as
--   `lunula.cli.arguments` declares them
function training.some(names, changes)
  local wanted, list = {}, {}
  for _, name in ipairs(names) do wanted[name] = changes[name] or {} end
  for _, option in ipairs(training.options) do
    local change = wanted[name_of(option)]
    if change then
      local copy = setmetatable({}, { __index = option })
      for field, value in pairs(change) do copy[field] = value end
      list[#list + 1] = copy
    end
  end
  return list
end

local function find(name)
  for _, option in ipairs(training.options) do
    if name_of(option) == name then return option end
  end
end

--- Checks that an option can be given on the command line.
-- @string name as Lua has it
-- @string what where it stands, for the message
-- @raise naming the closest one
function training.check_name(name, what)
  if find(name) then return end
  error(("%s: unknown option '%s'; do you mean %s?"):format(what, name,
    arguments.closest(name, training.names())), 0)
end

--- Checks that a value can be given to an option on the command line.
-- @string name one that `check_name` knows
-- @param value
-- @string what where it stands, for the message
-- @raise saying what it should be
function training.check_value(name, value, what)
  local option = find(name)
  if option.type == "boolean" and type(value) ~= "boolean" then
    error(("%s: %s: expected true or false, got %s"):format(what, name,
      tostring(value)), 0)
  end
  local command = { name = "train", positional = {}, options = { option } }
  local words = arguments.words(command.options, { [name] = value })
  local ok, why = pcall(arguments.parse, command, { "train", words[1] })
  if not ok then error(what .. ": " .. why.usage:gsub("^%-%-", ""), 0) end
end

--- Refuses options that mean nothing together.
-- @tparam table values of a command's arguments
-- @raise as `arguments.wrong`
function training.check(values)
  arguments.one_of(values, "batch-size", "batch-tokens")
  if values.group_by_length and not values.shuffle then
    arguments.wrong("--group-by-length and --no-shuffle: give one of them")
  end
  for _, option in ipairs { "validate-every", "patience", "metric" } do
    arguments.needs(values, option, "validation")
  end
  for _, option in ipairs(training.options) do
    if values[name_of(option)] ~= nil and not is_of_use(option, values) then
      arguments.wrong("--%s: only with --%s", option.name,
        dashed(table.concat(option.needs, " ")))
    end
  end
end

-- {======== while it trains, and after it ========

-- What every epoch says of itself.
local function epoch_line(entry, values)
  local epochs = values.max_steps and "" or "/" .. values.epochs
  local line = ("epoch %d%s  train loss %.4f"):format(entry.epoch, epochs,
    entry.train_loss)
  local validation = entry.validation
  if not validation then return line end
  return ("%s  validation loss %.4f"):format(line, validation.loss)
end

--- Adds to the options of a training what shows how it goes.
-- @tparam table o of `lunula.train` or `lunula.pretrain`
-- @tparam table values of the command's arguments
-- @tparam Progress bar
-- @tparam func more from an epoch's scores to what its line ends with
-- @treturn table o
function training.show(o, values, bar, more)
  o.on_step = function(info) bar:step(info) end
  o.on_epoch = function(entry)
    bar:clear()
    output.line(epoch_line(entry, values)
      .. (entry.validation and more(entry.validation) or ""))
    output.flush()
  end
  return o
end

--- The figures of a training, for `--json` and for the record in the model's
-- folder.
-- @tparam table result of `lunula.train` or `lunula.pretrain`
-- @string version of lunula
-- @treturn table
function training.figures(result, version)
  return {
    kind = "training",
    train_seconds = result.train_seconds,
    tokens_per_second = result.tokens_per_second,
    peak_rss_mib = core.system.peak_rss(), steps = result.steps,
    history = result.history, validations = result.validations,
    metric = result.metric, best_epoch = result.best_epoch,
    best_step = result.best_step,
    seed = result.seed, threads = result.threads,
    precision = result.precision, version = version,
  }
end

-- }========

return training
