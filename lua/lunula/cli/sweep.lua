--- lunula sweep: searches for the options to train with.
-- Standard output has a table of the runs and the command line of the best.
-- @module lunula.cli.sweep

local arguments = require "lunula.cli.arguments"
local fetch = require "lunula.cli.fetch"
local guarded = require "lunula.cli.guarded"
local json = require "lunula.cli.json"
local layout = require "lunula.metrics.layout"
local output = require "lunula.cli.output"
local progress = require "lunula.progress"
local shell = require "lunula.shell"
local sorted = require("lunula.options").names
local system = require("lunula.core").system
local training = require "lunula.cli.training"
local values_of_json = require "lunula.json"

local sweep = {
  name = "sweep",
  summary = "search for the best options of a training",
  positional = {
    { name = "FILE", what = "Lua such as: return { model = \"encoder\", train "
      .. "= \"a.csv\", validation = \"b.csv\", choices = { epochs = { 2, 3 }, "
      .. "learning_rate = { low = 1e-5, high = 1e-4, log = true } } }; also "
      .. "fixed, metric, halving, text, text_pair, label, label_separator, "
      .. "labels" },
  },
  options = {
    { name = "output", value = "DIR", required = true,
      what = "folder of the runs, in which a sweep goes on" },
    { name = "method", value = "NAME", default = "random",
      choices = { "random", "grid", "halving" },
      what = "random, grid, halving" },
    { name = "trials", type = "integer", value = "N", min = 1, max = 1000000,
      what = "choices to begin with, but of a grid (20)" },
    { name = "seed", type = "integer", value = "N", min = 0, max = 2^53,
      default = 0, what = "of the choices" },
    { name = "threads", type = "integer", value = "N", min = 1, max = 64,
      what = "processors to use; all when not given" },
    { name = "json", value = "FILE", what = "write all runs there" },
  },
}

-- {======== the file ========

local function check_names(options, what)
  for name in pairs(type(options) == "table" and options or {}) do
    if name ~= "recipe" then training.check_name(tostring(name), what) end
  end
end

-- What no run could be repeated with is better known before the first.
local function check_plan(plan, path)
  check_names(plan.choices, path .. ": choices")
  check_names(plan.fixed, path .. ": fixed")
  for name, value in pairs(type(plan.fixed) == "table" and plan.fixed or {}) do
    if name ~= "recipe" then
      training.check_value(name, value, path .. ": fixed")
    end
  end
  for _, name in ipairs { "train", "validation" } do
    if type(plan[name]) ~= "string" then
      error(("%s: %s: expected the name of a file, got %s"):format(path, name,
        type(plan[name])), 0)
    end
  end
end

-- }========

-- {======== results ========

local function shown(value)
  if type(value) == "table" then return table.concat(value, ",") end
  return type(value) == "number" and values_of_json.encode(value)
    or tostring(value)
end

-- the options that any run was told
local function varied(runs)
  local all = {}
  for _, record in ipairs(runs) do
    for name in pairs(record.choice) do all[name] = true end
  end
  return sorted(all)
end

local function ranked(lunula, runs)
  local done, failed = {}, {}
  for _, record in ipairs(runs) do
    local list = record.status == "done" and done or failed
    list[#list + 1] = record
  end
  table.sort(done, lunula.sweep.is_better)
  for _, record in ipairs(failed) do done[#done + 1] = record end
  return done
end

local function score_of(record)
  return record.score and ("%.4f"):format(record.score) or record.status
end

local function table_of(lunula, runs)
  local names = varied(runs)
  local rows = { { "run" } }
  for _, name in ipairs(names) do table.insert(rows[1], name) end
  table.insert(rows[1], runs[1].metric)
  table.insert(rows[1], "seconds")
  for _, record in ipairs(ranked(lunula, runs)) do
    local row = { ("%03d"):format(record.number) }
    for _, name in ipairs(names) do
      local value = record.choice[name]
      row[#row + 1] = value == nil and "-" or shown(value)
    end
    row[#row + 1] = score_of(record)
    row[#row + 1] = ("%.1f"):format(record.wall_seconds)
    rows[#rows + 1] = row
  end
  return layout.aligned(rows, 1)
end

local PLAIN = "^[%w%._/=:,+@-]+$"  -- what sh takes as it is

local function line_of(words)
  local quoted = {}
  for i, word in ipairs(words) do
    quoted[i] = word:find(PLAIN) and word or shell.quote(word)
  end
  return table.concat(quoted, " ")
end

-- The command line that trains as a run did.
local function command_of(plan, record, folder)
  local words = { "lunula", "train" }
  for _, name in ipairs { "model", "train", "validation", "text", "text_pair",
      "label", "label_separator", "labels" } do
    if plan[name] then
      words[#words + 1] = ("--%s=%s"):format((name:gsub("_", "-")),
        shown(plan[name]))
    end
  end
  local options = { metric = record.metric }
  for name, value in pairs(record.options) do options[name] = value end
  for _, word in ipairs(training.words(options)) do
    words[#words + 1] = word
  end
  words[#words + 1] = ("--output=%s/again"):format(folder)
  return line_of(words)
end

-- }========

-- {======== progress ========

local function run_line(record, info)
  local words = { ("run %d/%d"):format(record.number, info.total) }
  for _, name in ipairs(sorted(record.choice)) do
    words[#words + 1] = name .. " " .. shown(record.choice[name])
  end
  words[#words + 1] = record.error and "failed: " .. record.error
    or record.metric .. " " .. score_of(record)
  words[#words + 1] = ("%.1f s"):format(record.wall_seconds)
  words[#words + 1] = not info.is_new and "(before)" or nil
  return table.concat(words, "  ")
end

-- Steps are shown where they can be taken away again: there are many runs.
local function hooks()
  local bar = progress.new()
  return function() bar:clear() end, function(info)
    if bar.terminal then bar:step(info) end
  end, function(record, info)
    bar:say(run_line(record, info))
    bar = progress.new()
  end
end

-- }========

local function search(lunula, plan, values)
  local clear, on_step, on_run = hooks()
  system.catch_interrupt(true)
  local ok, result = pcall(lunula.sweep, plan, {
    output = values.output, method = values.method, trials = values.trials,
    seed = values.seed, defaults = training.defaults(), on_step = on_step,
    on_run = on_run,
  })
  system.catch_interrupt(false)
  clear()
  if ok then return result end
  if result == "interrupted" then
    error("interrupted; the same command goes on from here", 0)
  end
  error(result, 0)
end

local function tell(lunula, plan, values, result)
  local command = command_of(plan, result.best, values.output)
  output.line(table_of(lunula, result.runs))
  output.line(command)
  output.flush()
  if values.json then
    json.write(values.json, { method = values.method, seed = values.seed,
      plan = plan, runs = result.runs, best = result.best.number,
      command = command, version = lunula.version })
  end
  io.stderr:write("the best model is ", values.output, "/best\n")
end

--- Runs the command.
-- @tparam table values of its arguments
function sweep.run(values)
  if values.method == "grid" and values.trials then
    arguments.wrong("--trials: a grid has all there are")
  end
  local lunula = require "lunula"
  local plan = lunula.sweep.read(values.file)
  check_plan(plan, values.file)
  guarded.check_file(values, "json")
  if values.threads then lunula.threads(values.threads) end
  if type(plan.model) == "string" then fetch.model(plan.model) end
  tell(lunula, plan, values, search(lunula, plan, values))
end

return sweep
