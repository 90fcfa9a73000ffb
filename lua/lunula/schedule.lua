--- How the learning rate moves during training.
-- A schedule is a function from the number of steps already made (0 before the
-- first) to the factor that the learning rate has in the next step. These are
-- the schedules of `transformers.optimization`.
-- @module lunula.schedule

local check = require "lunula.check"
local options = require "lunula.options"

local schedule = {}

local WARMUP = { warmup_ratio = options.none, warmup_steps = options.none }

--- The steps of the warm-up; a ratio is of all steps, rounded down.
local function warmup_of(total_steps, given)
  local o = options.check(given, WARMUP, "schedule")
  check.integer(total_steps, "schedule: total_steps", { least = 0 })
  if o.warmup_ratio and o.warmup_steps then
    error("schedule: give warmup_ratio or warmup_steps, not both", 0)
  end
  if o.warmup_ratio then
    check.number(o.warmup_ratio, "schedule: warmup_ratio",
      { least = 0, most = 1 })
    return math.floor(o.warmup_ratio * total_steps)
  end
  return check.integer(o.warmup_steps or 0, "schedule: warmup_steps",
    { least = 0 })
end

--- After the warm-up from 0 to 1, `after` of the share of the rest that is
-- left.
local function warmed(total_steps, given, after)
  local warmup = warmup_of(total_steps, given)
  local rest = math.max(1, total_steps - warmup)
  return function(step)
    if step < warmup then return step / warmup end
    return math.max(0, after((total_steps - step) / rest))
  end
end

--- Up from 0 to 1 during the warm-up, then down to 0 at the end, in straight
-- lines.
-- @int total_steps of the whole training
-- @tparam[opt] table given
-- @number[opt] given.warmup_ratio share of total_steps, 0 to 1
-- @int[opt=0] given.warmup_steps instead of the ratio
-- @treturn function(step) the factor after `step` steps
-- @raise on numbers out of range, or both a ratio and steps
-- @usage local factor = schedule.linear(1000, { warmup_ratio = 0.1 })
-- optimizer:set_learning_rate(5e-5 * factor(0))
function schedule.linear(total_steps, given)
  return warmed(total_steps, given, function(left) return left end)
end

--- Up from 0 to 1 during the warm-up, then down to 0 along half a cosine.
-- @int total_steps of the whole training
-- @tparam[opt] table given as for `linear`
-- @treturn function(step) the factor after `step` steps
-- @raise as `linear`
-- @usage local factor = schedule.cosine(1000, { warmup_steps = 100 })
function schedule.cosine(total_steps, given)
  return warmed(total_steps, given, function(left)
    return 0.5 * (1 - math.cos(math.pi * math.max(0, left)))
  end)
end

--- Up from 0 to 1 during the warm-up, then 1.
-- @int total_steps of the whole training
-- @tparam[opt] table given as for `linear`
-- @treturn function(step) the factor after `step` steps
-- @raise as `linear`
-- @usage local factor = schedule.constant(1000)
function schedule.constant(total_steps, given)
  return warmed(total_steps, given, function() return 1 end)
end

return schedule
