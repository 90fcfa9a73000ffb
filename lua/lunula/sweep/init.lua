--- Searches for the options to train with: many trainings from the same start,
-- each judged by the validation rows.
--
-- A sweep goes on where it was stopped: call it again with the same folder.
-- Runs that are over are not repeated; the one that was cut short begins anew,
-- and the end is the same as if nothing had happened. No test is ever read.
--
--    local sweep = lunula.sweep({
--      model = "all-MiniLM-L6-v2", train = "train.csv",
--      validation = "dev.csv",
--      choices = {
--        learning_rate = { low = 1e-5, high = 2e-4, log = true },
--        epochs = { 2, 3 }, class_weights = { false, "balanced" },
--      },
--    }, { output = "sweep", trials = 20 })
--    print(sweep.best.score, sweep.best.options.learning_rate)
--    local model = lunula.classifier "sweep/best"
-- @module lunula.sweep

local check = require "lunula.check"
local core = require "lunula.core"
local data = require "lunula.data"
local file = require "lunula.sweep.file"
local hub = require "lunula.hub"
local lunula = require "lunula"
local methods = require "lunula.sweep.methods"
local options = require "lunula.options"
local problem = require "lunula.problem"
local recipes = require "lunula.recipes"
local settings = require "lunula.settings"
local spaces = require "lunula.sweep.space"
local store = require "lunula.sweep.store"
local trial = require "lunula.sweep.trial"

local sweep = {}

local none = options.none
local PLAN = {
  model = none, train = none, validation = none, text = none,
  text_pair = none, label = none, label_separator = none, labels = none,
  choices = none, fixed = none, metric = none, halving = none,
}
local KNOWN = {
  output = none, method = "random", trials = 20, seed = 0, defaults = none,
  on_run = none, on_step = none,
}
local METHODS = { random = true, grid = true, halving = true }
local MOST_TRIALS, MOST_SEED = 1000000, 2 ^ 53

-- what the sweep sets itself; its metric and labels are the plan's
local OWN = { validation = true, checkpoint = true, on_step = true,
  on_epoch = true, metric = true, keep_best = true, resume = true,
  labels = true }

local BESIDE = { metric = true, labels = true }

-- what a halving by one of them leaves to nobody else
local BUDGETS = { epochs = { "epochs", "max_steps" },
  max_steps = { "max_steps" } }

local function fail(message, ...)
  error(message:format(...), 0)
end

-- {======== options ========

local function check_own(given, what)
  for name in pairs(given) do
    if OWN[name] then
      fail("sweep: %s: %s is the sweep's own%s", what, name,
        BESIDE[name] and "; it stands beside the choices" or "")
    end
  end
end

local function check_fixed(plan)
  check.table(plan.fixed, "sweep: fixed")
  check_own(plan.fixed, "fixed")
  for name, value in pairs(plan.fixed) do
    check.string(name, "sweep: fixed: an option's name")
    spaces.check_value(value, "sweep: fixed: " .. name)
    if plan.choices[name] ~= nil then
      fail("sweep: %s is fixed, and among the choices", name)
    end
  end
end

local function check_plan(given)
  local plan = options.check(given, PLAN, "sweep")
  check.path(plan.model, "sweep: model")
  plan.fixed = plan.fixed or {}
  plan.space = spaces.new(plan.choices)
  check_own(plan.choices, "choices")
  if plan.choices.problem_type ~= nil then
    fail("sweep: choices: problem_type: the rows are of one; it stands in "
      .. "what is fixed")
  end
  check_fixed(plan)
  return plan
end

local function check_budget(plan, resource)
  for _, name in ipairs(BUDGETS[resource]) do
    local where = plan.choices[name] ~= nil and "a choice"
      or plan.fixed[name] ~= nil and "fixed"
    if where then
      fail("sweep: halving says how large %s is: %s can't be %s, too",
        resource, name, where)
    end
  end
end

local function check_how(given, plan)
  local how = options.check(given, KNOWN, "sweep")
  check.path(how.output, "sweep: output")
  check.choice(how.method, "sweep: method", METHODS)
  check.integer(how.trials, "sweep: trials", { least = 1, most = MOST_TRIALS })
  check.integer(how.seed, "sweep: seed", { least = 0, most = MOST_SEED })
  how.halving = how.method == "halving"
    and methods.check_halving(plan.halving) or nil
  if how.halving then check_budget(plan, how.halving.resource) end
  how.defaults = check.table(how.defaults or {}, "sweep: defaults")
  for _, name in ipairs { "on_run", "on_step" } do
    if how[name] ~= nil then check.func(how[name], "sweep: " .. name) end
  end
  return how
end

-- }========

-- {======== rows ========

local function rows_of(plan, kind, name)
  local given = plan[name]
  if type(given) == "string" then
    given = data.read(given, settings.columns(plan, kind))
  end
  kind.check_rows(given, "sweep: " .. name)
  return given
end

local function read_rows(plan, kind)
  local rows, validation = rows_of(plan, kind, "train"),
    rows_of(plan, kind, "validation")
  kind.check_learnable(rows, "sweep: train")
  kind.check_seen(validation, rows, "sweep: validation")
  return rows, validation
end

-- The type of problem, and what of the plan depends on it.
local function problem_of(plan, folder)
  local kind = settings.problem(folder, plan.fixed)
  plan.metric = problem.metric(kind, plan.metric, "sweep")
  if plan.label_separator and not kind.separator then
    fail("sweep: label_separator: not for %s", kind.name)
  end
  return kind
end

-- }========

-- {======== which is better ========

local function loss_of(record)
  local loss = record.scores.loss
  return type(loss) == "number" and loss == loss and loss or math.huge
end

--- Whether one run is better than another: by the metric, of equals by the
-- loss, else the earlier one.
-- @tparam table a its record
-- @tparam table b
-- @treturn bool
-- @usage table.sort(runs, sweep.is_better)
function sweep.is_better(a, b)
  if a.score ~= b.score then
    if problem.LOWER[a.metric] then return a.score < b.score end
    return a.score > b.score
  end
  local one, other = loss_of(a), loss_of(b)
  if one ~= other then return one < other end
  return a.number < b.number
end

-- }========

-- {======== runs ========

-- What a sweep must have in common with the one that it goes on with. A longer
-- random one begins with the shorter.
local function identity_of(plan, how, job)
  local function named(given)
    return type(given) == "string" and given or nil
  end
  return {
    method = how.method, seed = how.seed, halving = how.halving,
    trials = how.method == "halving" and how.trials or nil,
    model = plan.model, train = named(plan.train),
    validation = named(plan.validation), text = plan.text,
    text_pair = plan.text_pair, label = plan.label,
    label_separator = plan.label_separator, labels = plan.labels,
    train_rows = #job.train, validation_rows = #job.validation,
    choices = plan.choices, fixed = plan.fixed, defaults = how.defaults,
    metric = plan.metric,
  }
end

local function merged(...)
  local all = {}
  for _, t in ipairs { ... } do
    for name, value in pairs(t) do all[name] = value end
  end
  return all
end

-- All options of a run: what is chosen, what is fixed, what a recipe says of
-- the others, and defaults of what is left.
local function options_of(run, choice)
  local given = merged(run.plan.fixed, choice)
  if given.recipe ~= nil then
    given.validation = run.job.validation  -- a recipe asks whether there is any
    given = recipes.resolve(given.recipe, given, given.problem_type)
    given.validation = nil
  end
  for name, value in pairs(run.how.defaults) do
    if given[name] == nil then given[name] = value end
  end
  given.seed = given.seed or 0
  return given
end

local function new_record(run, number, choice, rung)
  local given = options_of(run, choice)
  return {
    number = number, status = "running", choice = choice, rung = rung,
    options = given, seed = given.seed, metric = run.plan.metric,
    version = lunula.version,
  }
end

local function train(run, record)
  run.store:drop(record.number)
  run.store:write(record)
  collectgarbage()
  core.system.trim()
  trial.run(run.job, record, run.store:model(record.number))
  run.store:write(record)
  return record
end

-- Of a run that is over: its model is the best, or goes.
local function settle(run, record)
  if record.status == "done"
      and (not run.best or sweep.is_better(record, run.best)) then
    run.best = record
    return run.store:take(record.number)
  end
  run.store:drop(record.number)
end

-- A run that is over already, which must be the one that comes now.
local function before(run, number, choice)
  local record = run.store:read(number)
  if record and (spaces.key(record.choice) ~= spaces.key(choice)
      or spaces.key(record.options) ~= spaces.key(options_of(run, choice))) then
    fail("sweep: run %d of %s had other options than it would have now; "
      .. "another version of lunula made it (%s)", number, run.how.output,
      tostring(record.version))
  end
  return record
end

local function perform(run, choice, rung)
  local number = #run.runs + 1
  local record = before(run, number, choice)
  local is_new = record == nil
  if is_new and core.system.interrupted() then fail("interrupted") end
  record = record or train(run, new_record(run, number, choice, rung))
  run.runs[number] = record
  settle(run, record)
  if run.how.on_run then
    run.how.on_run(record, { total = run.total, is_new = is_new,
      best = run.best })
  end
  return record
end

local function search(run)
  if run.store:read(run.total + 1) then
    fail("sweep: %s has more than %d runs already; ask for as many",
      run.how.output, run.total)
  end
  methods[run.how.method].go(run.plan.space, run.how, function(choice, rung)
    return perform(run, choice, rung)
  end)
  if not run.best then
    fail("sweep: all %d runs failed; the first: %s", #run.runs,
      run.runs[1].error)
  end
end

-- }========

--- Reads a sweep's file: Lua that returns a table, and can do nothing else.
-- @string path
-- @treturn table for `sweep`
-- @raise when it can't be read, fails, or returns something else
-- @usage local result = lunula.sweep(lunula.sweep.read "sweep.lua",
--   { output = "sweep" })
function sweep.read(path)
  return file.read(path)
end

--- Searches.
-- Each run trains `model` with its own options and the rows of `train`, and is
-- judged by those of `validation`. `output` has a folder with the record of
-- each, and the model of the best: the one of the best score, however long it
-- was. A run that fails, such as one whose loss is
-- not finite, is recorded as such, and others follow.
-- @function sweep
-- @tparam table plan
-- @string plan.model folder, alias or name, as for `lunula.classifier`
-- @param plan.train rows, or the name of their file
-- @param plan.validation rows to judge by, or the name of their file
-- @string[opt] plan.text column or field of the text in files
-- @string[opt] plan.text_pair column or field of a second text
-- @string[opt] plan.label column or field of the label in files
-- @string[opt] plan.label_separator between several labels in files
-- @tparam[opt] {string,...} plan.labels as for `lunula.classifier`; those of
--   the rows when not given
-- @tparam table plan.choices options of `lunula.train` and
--   `lunula.classifier`, or `recipe`: each with a list of values, or a range
--   `{ low =, high =, log = true, integer = true }` of numbers, uniform or,
--   with `log`, uniform in their logarithms. `false` beside values that are no
--   booleans: the option is not given
-- @tparam[opt] table plan.fixed options that all runs have
-- @string[opt] plan.metric as for `lunula.train`: chooses each run's best
--   weights, and the best run; by the type of problem when not given
-- @tparam[opt] table plan.halving for that method: `resource`, "epochs" or
--   "max_steps"; `min` and `max`, the least and the most of it (1 and 9
--   epochs); `eta`, how many times as much the best one in eta has (3)
-- @tparam table given
-- @string given.output folder of the sweep
-- @string[opt="random"] given.method "random" (Bergstra and Bengio 2012);
--   "grid", all combinations; "halving" (Jamieson and Talwalkar 2016), which
--   begins with `trials` short runs
-- @int[opt=20] given.trials random choices, no two the same
-- @int[opt=0] given.seed of the choices; that of a training is an option like
--   any, 0 when not given
-- @tparam[opt] table given.defaults options that stand behind those of the plan
-- @func[opt] given.on_run called with each run's record, and `total` (runs at
--   most), `is_new` (false for one that was over already), `best` (the record
--   of the best so far); what it raises ends the sweep
-- @func[opt] given.on_step as for `lunula.train`
-- @treturn table `runs`, their records in order; `best`, that of the best. A
--   record has `number`, `status` ("done" or "failed"), `choice`, `options`
--   (all), `seed`, `rung` (of halving), `metric`, `score`, `scores`, `history`,
--   `validations`, `best_epoch`, `best_step`, `steps`, `train_seconds`,
--   `wall_seconds`, `tokens_per_second`, `peak_rss_mib` (of the process until
--   then), `threads`, `precision`, `version`; or `error`
-- @raise when all runs fail; at once on what no run could do without: a
--   missing file, an option that is not known; when the folder is that of
--   another sweep; "interrupted" after Ctrl-C, where the program catches it
-- @usage local result = lunula.sweep({ model = dir, train = rows,
--   validation = others, choices = { epochs = { 2, 3 } } },
--   { output = "sweep", method = "grid" })
local function run_sweep(_, plan, given)
  local run = { plan = check_plan(plan), runs = {} }
  run.how = check_how(given, run.plan)
  run.how.is_better = sweep.is_better
  run.total = methods[run.how.method].total(run.plan.space, run.how)
  run.job = { on_step = run.how.on_step, folder = hub.resolve(run.plan.model),
    labels = run.plan.labels }
  run.job.train, run.job.validation = read_rows(run.plan,
    problem_of(run.plan, run.job.folder))
  settings.model(run.job.folder, run.job.train, options_of(run, {}),
    run.job.labels)
  run.store = store.open(run.how.output,
    identity_of(run.plan, run.how, run.job))
  local ok, why = pcall(search, run)
  run.store:close()
  if not ok then error(why, 0) end
  return { runs = run.runs, best = run.best }
end

return setmetatable(sweep, { __call = run_sweep })
