--- Averaged weights: the model is judged by, and ends with, a mean of the
-- weights that it had on the way, which lies nearer to the middle of what fits
-- the data than any of them (Polyak & Juditsky 1992, "Acceleration of
-- Stochastic Approximation by Averaging").
--
-- `averaging = "ema"`, an exponential moving average: every k steps,
--
--   average += (1 - d^k) (weights - average)
--
-- where d rises to the decay as (1 + t) / (10 + t), t steps after the first,
-- as in TensorFlow's: an early average forgets its beginnings.
--
-- `averaging = "uniform"`, the plain mean of the weights after every k-th step
-- of the training's last part, and its last (Izmailov et al. 2018, "Averaging
-- Weights Leads to Wider Optima and Better Generalization").
--
-- What always holds: between steps the model has the weights that the
-- optimizer moves, bit by bit; only between `enter` and `leave`, and after
-- `finish`, it has the average, and here are the others. One copy of the
-- weights that learn is held.
-- @module lunula.train.averaging

local grad = require "lunula.grad"
local tensor = require "lunula.tensor"

local averaging = {}

averaging.options = {
  { name = "averaging", type = "choice", choices = { "ema", "uniform" },
    what = "judge and keep a mean of the weights: ema or uniform" },
  { name = "averaging_decay", type = "number", least = 0, below = 1,
    default = 0.999, what = "a step's (0.999)",
    needs = { "averaging", "ema" } },
  { name = "averaging_every", type = "integer", least = 1, default = 10,
    what = "steps from one that counts to the next (10)",
    needs = { "averaging" } },
  { name = "averaging_start", type = "number", least = 0, most = 1,
    what = "share of the steps before it (ema 0.1, uniform 0.5)",
    needs = { "averaging" } },
}

-- the part of the steps before the first that counts
local STARTS = { ema = 0.1, uniform = 0.5 }

local Averaging = {}
Averaging.__index = Averaging

-- {======== the average ========

-- How far the average goes towards the weights.
local function weight_of(self, step)
  if self.kind == "uniform" then return 1 / (self.count + 1) end
  local t = step - self.first_step
  local decay = math.min(self.decay, (1 + t) / (10 + t))
  return 1 - decay ^ (step - self.last_step)
end

local function begin(self)
  self.average = {}
  for i, p in ipairs(self.learners) do
    self.average[i] = p.tensor:clone()
  end
end

local function add(self, step)
  if self.count == 0 then
    begin(self)
  else
    local weight = weight_of(self, step)
    for i, p in ipairs(self.learners) do
      self.average[i]:lerp_to(p.tensor, weight)
    end
  end
  self.count, self.last_step = self.count + 1, step
end

-- The last step counts too: by its weights the training would end without.
local function is_due(self, step)
  return step >= self.first_step
    and ((step - self.first_step) % self.every == 0 or step == self.steps)
end

function Averaging:stepped(run)
  if is_due(self, run.step) then grad.no_grad(add, self, run.step) end
end

-- }========

-- {======== in place of the weights ========

local function swap(self)
  for i, p in ipairs(self.learners) do
    local weights = p.tensor:clone()
    p.tensor:copy(self.average[i])
    self.average[i]:copy(weights)
  end
end

function Averaging:enter()
  if not self.average then return end
  grad.no_grad(swap, self)
  self.swapped = true
end

function Averaging:leave()
  if not self.swapped then return end
  grad.no_grad(swap, self)
  self.swapped = false
end

Averaging.abandon = Averaging.leave

function Averaging:finish()
  for i, average in ipairs(self.average or {}) do
    self.learners[i].tensor:copy(average)
  end
  self.average = nil
end

-- }========

-- {======== going on later ========

function Averaging:state()
  local state = {
    steps = tensor.from({ self.count, self.last_step }, "int64"),
  }
  for i, p in ipairs(self.learners) do
    state[p.name] = self.average and self.average[i]
  end
  return state
end

function Averaging:load_state(state)
  local steps = state.steps:totable()
  self.count, self.last_step = steps[1], steps[2]
  if self.count == 0 then return end
  self.average = {}
  for i, p in ipairs(self.learners) do
    local saved = state[p.name]
    self.average[i] = tensor.zeros(saved:shape()):copy(saved)
  end
end

-- }========

--- Makes it, where it is asked for.
-- @tparam table run
-- @treturn ?table
function averaging.new(run)
  local o, steps = run.options, run.plan.steps
  if not o.averaging then return nil end
  local start = o.averaging_start or STARTS[o.averaging]
  return setmetatable({
    learners = run.learners, steps = steps, kind = o.averaging,
    decay = o.averaging_decay, every = o.averaging_every,
    first_step = math.max(1, math.ceil(start * steps)),
    count = 0, last_step = 0,
  }, Averaging)
end

return averaging
