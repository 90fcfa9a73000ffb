--- Mixout: in each step, a share p of the weights are the pretrained ones, and
-- the others are scaled so that the mean stays (Lee, Cho & Kang 2020, "Mixout:
-- Effective Regularization to Finetune Large-scale Pretrained Language Models",
-- https://arxiv.org/abs/1909.11299). It is dropout that falls back to what was
-- pretrained and not to 0: the authors take p of 0.7 to 0.9 and switch dropout
-- off beside it.
--
-- As in the authors' code, matrices of linear layers are mixed, and neither
-- biases, LayerNorm nor words. Of those, the encoder's layers: pooler, head
-- and adapters may have begun at random, and have nothing to fall back to.
--
-- What always holds: from a step's first batch to its last backward, the model
-- has the mixed weights, and `moved` are those that the optimizer moves; else
-- the model has these itself. Two copies of the matrices are held.
-- @module lunula.train.mixout

local draw = require "lunula.train.draw"
local no_grad = require "lunula.grad".no_grad
local tensor = require "lunula.tensor"

local mixout = {}

mixout.options = {
  { name = "mixout", type = "number", least = 0, below = 1, default = 0,
    what = "share of weights that a step takes from before the training" },
}

-- of `tune`, what leaves the pretrained matrices as they are
local LEAVES = { lora = true, bias = true, adapters = true }

--- @raise where no pretrained matrix learns, which could fall back
function mixout.check(o)
  if o.mixout > 0 and LEAVES[o.tune] then
    error(('train: mixout and tune = "%s": give one of them: it leaves the '
      .. "pretrained matrices as they are"):format(o.tune), 0)
  end
end

local Mixout = {}
Mixout.__index = Mixout

local function is_mixed(name)
  return name:find "^bert%.encoder%." and name:find "%.weight$"
    and not name:find "LayerNorm" and not name:find "%.adapter%."
end

-- A matrix that learns later than others is still the pretrained one when it
-- comes here first.
local function matrix_of(self, parameter, purpose)
  local one = self.matrices[parameter.name]
  if not one then
    one = { pretrained = parameter.tensor:clone() }
    self.matrices[parameter.name] = one
  end
  one.tensor, one.purpose = parameter.tensor, purpose
  return one
end

local function mix(self)
  for i, p in ipairs(self.model:parameters()) do
    if is_mixed(p.name) and p.tensor:requires_grad() then
      local one = matrix_of(self, p, i)
      one.moved = one.moved or one.tensor:clone()
      one.moved:copy(one.tensor)
      self.mixed[#self.mixed + 1] = one
      one.tensor:copy(one.moved:mixout(one.pretrained, self.p, self.seed, i))
    end
  end
end

function Mixout:first(run)
  self.seed = draw.seed(run.options.seed, "mixout", run.step)
  no_grad(mix, self)
end

-- Puts the weights back that the optimizer moves.
local function unmix(self)
  for _, one in ipairs(self.mixed) do one.tensor:copy(one.moved) end
  self.mixed = {}
end

-- The way back through the mixing: a weight that was not there learns nothing,
-- the others were scaled. Dropout of the same stream does both.
local function pull_back(self)
  for _, one in ipairs(self.mixed) do
    local gradient = one.tensor:grad()
    if gradient then
      gradient:copy(gradient:dropout(self.p, self.seed, one.purpose))
    end
  end
end

function Mixout:gradients()
  no_grad(pull_back, self)
  unmix(self)
end

Mixout.abandon = unmix

-- A run that goes on has no pretrained weights but these.
function Mixout:state()
  local state = {}
  for name, one in pairs(self.matrices) do state[name] = one.pretrained end
  return state
end

function Mixout:load_state(state)
  for name, saved in pairs(state) do
    self.matrices[name] = { pretrained =
      tensor.zeros(saved:shape()):copy(saved) }
  end
end

--- Makes it, where it is asked for.
-- @tparam table run
-- @treturn ?table
function mixout.new(run)
  local p = run.options.mixout
  if p == 0 then return nil end
  return setmetatable({ model = run.model, p = p, matrices = {}, mixed = {} },
    Mixout)
end

return mixout
