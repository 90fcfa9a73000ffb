--- In which order a sweep tries what, and for how long.
--
-- A method is a table of `total(space, how)`, how many runs that makes at
-- most, and `go(space, how, perform)`, which calls `perform(choice, rung)` for
-- each of them; that trains and returns the run's record. What comes next
-- depends on nothing but the space, the seed and the records: so a sweep that
-- was cut short finds its place again.
-- @module lunula.sweep.methods

local check = require "lunula.check"
local options = require "lunula.options"

local methods = {}

local none = options.none
local HALVING = { resource = "epochs", min = none, max = none, eta = 3 }
local EPOCHS = { min = 1, max = 9 }  -- of a halving that says nothing
local RESOURCES = { epochs = true, max_steps = true }
local LEAST_ETA = 2                  -- fewer would be hardly a choice

local function fail(message, ...)
  error(message:format(...), 0)
end

--- Random search (Bergstra and Bengio 2012, "Random search for hyper-parameter
-- optimization"): each choice is drawn by itself.
methods.random = {
  total = function(space, how) return math.min(how.trials, space.size) end,
  go = function(space, how, perform)
    for _, choice in ipairs(space:random(how.trials, how.seed)) do
      perform(choice)
    end
  end,
}

--- All combinations of lists.
methods.grid = {
  total = function(space)
    local range = space:range()
    if range then
      fail("sweep: %s is a range; a grid needs a list of values", range)
    end
    return space.size
  end,
  go = function(space, _, perform)
    for i = 1, space.size do perform(space:combination(i)) end
  end,
}

-- {======== successive halving ========

--- Checks how to halve.
-- @tparam ?table given `resource`, "epochs" or "max_steps"; `min` and `max` of
--   it that a run may have (1 and 9 epochs); `eta`, of how many runs one goes
--   on
-- @treturn table
-- @raise on what is out of range
function methods.check_halving(given)
  local how = options.check(given, HALVING, "sweep: halving")
  check.choice(how.resource, "sweep: halving: resource", RESOURCES)
  local default = how.resource == "epochs" and EPOCHS or {}
  how.min, how.max = how.min or default.min, how.max or default.max
  check.integer(how.min, "sweep: halving: min", { least = 1 })
  check.integer(how.max, "sweep: halving: max", { least = how.min })
  check.number(how.eta, "sweep: halving: eta", { least = LEAST_ETA })
  return how
end

-- Budgets from the largest down, each one eta-th of the one before.
local function budgets_of(how)
  local budgets, budget = {}, how.max
  while budget >= how.min do
    table.insert(budgets, 1, math.floor(budget))
    budget = budget / how.eta
  end
  return budgets
end

--- The rungs of a successive halving.
-- @int trials runs of the first
-- @tparam table how as from `check_halving`
-- @treturn {table,...} `{ runs =, budget = }`, from the shortest runs to the
--   longest. One run that is left alone gets the largest budget at once.
-- @usage methods.rungs(9, methods.check_halving())
-- --> { { runs = 9, budget = 1 }, { runs = 3, budget = 3 },
-- --    { runs = 1, budget = 9 } }
function methods.rungs(trials, how)
  local rungs, runs = {}, trials
  for _, budget in ipairs(budgets_of(how)) do
    if runs == 1 then budget = math.floor(how.max) end
    rungs[#rungs + 1] = { runs = runs, budget = budget }
    if runs == 1 then break end
    runs = math.max(1, math.floor(runs / how.eta))
  end
  return rungs
end

local function rungs_of(space, how)
  return methods.rungs(math.min(how.trials, space.size), how.halving)
end

local function with_budget(choice, how, budget)
  local given = {}
  for name, value in pairs(choice) do given[name] = value end
  given[how.halving.resource] = budget
  return given
end

-- The choices of the best records; those of failed runs are none of them.
local function survivors(tried, how)
  local list = {}
  for _, entry in ipairs(tried) do
    if entry.record.status == "done" then list[#list + 1] = entry end
  end
  table.sort(list, function(a, b)
    return how.is_better(a.record, b.record)
  end)
  return list
end

local function climb(choices, rung, number, how, perform)
  local tried = {}
  for i = 1, math.min(rung.runs, #choices) do
    local record = perform(with_budget(choices[i], how, rung.budget), number)
    tried[i] = { choice = choices[i], record = record }
  end
  local best = {}
  for i, entry in ipairs(survivors(tried, how)) do best[i] = entry.choice end
  return best
end

--- Successive halving (Jamieson and Talwalkar 2016, "Non-stochastic best arm
-- identification and hyperparameter optimization"): many short runs; the best
-- one in eta has eta times as long, and so on. Each run begins anew, since the
-- learning rate falls to 0 at its own end.
methods.halving = {
  total = function(space, how)
    local total = 0
    for _, rung in ipairs(rungs_of(space, how)) do total = total + rung.runs end
    return total
  end,
  go = function(space, how, perform)
    local choices = space:random(how.trials, how.seed)
    for number, rung in ipairs(rungs_of(space, how)) do
      choices = climb(choices, rung, number, how, perform)
    end
  end,
}

-- }========

return methods
