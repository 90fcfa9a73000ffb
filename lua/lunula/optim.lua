--- AdamW over the parameters of modules, with clipping of gradients.
-- Loshchilov & Hutter, "Decoupled Weight Decay Regularization", ICLR 2019.
--
-- A module is anything with a method `parameters` that returns an array of
-- `{ name = "weight", tensor = t }`. A group is a table with an array
-- `parameters` of such entries (or of tensors) and, where they differ from
-- the optimizer's, a `learning_rate` and a `weight_decay`.
--
-- An encoder's words are stepped when they are next read, to the same values:
-- a batch has but some of them, and a step costs no more than those. Whoever
-- calls `grad()` on the words makes their gradient dense, and the steps with
-- it, until `zero_grad()` of the tensor.
-- @module lunula.optim

local check = require "lunula.check"
local core = require "lunula.core"
local options = require "lunula.options"
local tensor = core.tensor

local optim = {}

local KNOWN = {
  learning_rate = 5e-5,
  weight_decay = 0.01,
  betas = { 0.9, 0.999 },
  eps = 1e-8,
}

local GROUP = {
  parameters = {},
  learning_rate = options.none,
  weight_decay = options.none,
}

-- infinite: the norm is measured and nothing clipped
local MAX_NORM = { above = 0, most = math.huge }

local Adamw = {}
Adamw.__index = Adamw

local function check_betas(betas)
  if type(betas) ~= "table" or #betas ~= 2 then
    error("adamw: betas: expected two numbers, { 0.9, 0.999 }", 0)
  end
  for i = 1, 2 do
    check.number(betas[i], "adamw: betas", { least = 0, below = 1 })
  end
end

--- Whether a parameter is decayed: biases and LayerNorm's gains are not, as is
-- usual for BERT.
-- @string name
-- @treturn bool
function optim.decays(name)
  return not (name:find("bias$") or name:find("LayerNorm%.weight$"))
end

local function entry_of(parameter, position)
  if type(parameter) == "userdata" then
    return { name = tostring(position), tensor = parameter }
  end
  if type(parameter) ~= "table" or type(parameter.name) ~= "string" then
    error(("adamw: parameter %d: expected { name =, tensor = } or a tensor")
      :format(position), 0)
  end
  return parameter
end

local function add(self, parameter, learning_rate, weight_decay)
  local entry = entry_of(parameter, #self.names + 1)
  local ok, why = pcall(self.core.add, self.core, entry.tensor,
    learning_rate / self.learning_rate, weight_decay)
  if not ok then
    error(("adamw: parameter '%s': %s"):format(entry.name, why), 0)
  end
  self.names[#self.names + 1] = entry.name
end

local function add_module(self, module, o)
  for _, parameter in ipairs(module:parameters()) do
    local entry = entry_of(parameter, #self.names + 1)
    add(self, entry, o.learning_rate,
      optim.decays(entry.name) and o.weight_decay or 0)
  end
end

local function add_group(self, group, o)
  local g = options.check(group, GROUP, "adamw: group")
  local learning_rate = g.learning_rate or o.learning_rate
  local weight_decay = g.weight_decay or o.weight_decay
  check.number(learning_rate, "adamw: group: learning_rate", { least = 0 })
  check.number(weight_decay, "adamw: group: weight_decay", { least = 0 })
  for _, parameter in ipairs(g.parameters) do
    add(self, parameter, learning_rate, weight_decay)
  end
end

local function has_method(value)
  local kind = type(value)
  return (kind == "table" or kind == "userdata")
    and type(value.parameters) == "function"
end

local function add_all(self, sources, o)
  if has_method(sources) then sources = { sources } end
  if type(sources) ~= "table" then
    error("adamw: expected an array of modules or groups", 0)
  end
  for i, source in ipairs(sources) do
    if has_method(source) then
      add_module(self, source, o)
    elseif type(source) == "table" and type(source.parameters) == "table" then
      add_group(self, source, o)
    else
      error(("adamw: %d: expected a module or { parameters = {...} }")
        :format(i), 0)
    end
  end
  if #self.names == 0 then error("adamw: no parameters", 0) end
end

--- Makes an optimizer.
-- From modules, all parameters are decayed but those whose names end in
-- `bias` or `LayerNorm.weight`. Parameters that are not to learn
-- (`requires_grad(false)`) are left alone, as they are; this may change from
-- step to step. What learns for the first time begins with no moments, what
-- learns again goes on with those that it had.
-- @tparam {table,...} sources modules or groups; or one module
-- @tparam[opt] table given
-- @number[opt=5e-5] given.learning_rate above 0
-- @number[opt=0.01] given.weight_decay decoupled from the gradient
-- @tparam[opt] {number,number} given.betas of the moments; 0.9 and 0.999
-- @number[opt=1e-8] given.eps
-- @treturn Adamw with the methods below
-- @raise on a parameter that is no contiguous float32 leaf or comes twice
-- @usage local optimizer = optim.adamw({ encoder, head },
--   { learning_rate = 5e-5 })
function optim.adamw(sources, given)
  local o = options.check(given, KNOWN, "adamw")
  check.number(o.learning_rate, "adamw: learning_rate", { above = 0 })
  check.number(o.weight_decay, "adamw: weight_decay", { least = 0 })
  check.number(o.eps, "adamw: eps", { least = 0 })
  check_betas(o.betas)
  local self = setmetatable({
    core = core.adamw(o.betas[1], o.betas[2], o.eps),
    names = {},
    learning_rate = o.learning_rate,  -- what groups are relative to
    current = o.learning_rate,
  }, Adamw)
  add_all(self, sources, o)
  return self
end

--- Limits the norm of all gradients together in the next step.
-- Call it between the last `backward` and `step`. The gradients that `grad()`
-- shows stay as they are; the step scales them.
-- @number max_norm above 0
-- @treturn number the norm before; NaN or infinite when a gradient is
-- @usage optimizer:clip(1.0)
-- optimizer:step()
function Adamw:clip(max_norm)
  check.number(max_norm, "adamw: clip: max_norm", MAX_NORM)
  return self.core:clip(max_norm)
end

--- One step down the gradients, which are 0 after it.
-- To gather the gradients of several batches, call `backward` for each and
-- then `step` once.
-- @usage loss:backward()
-- optimizer:step()
function Adamw:step()
  self.core:step(self.current)
end

--- Sets the gradients to 0 without a step.
-- @usage optimizer:zero_grad()
function Adamw:zero_grad()
  self.core:zero_grad()
end

--- Sets the learning rate of the steps to come. Groups keep their ratio to it.
-- @number learning_rate at least 0
-- @usage optimizer:set_learning_rate(5e-5 * factor(step))
function Adamw:set_learning_rate(learning_rate)
  check.number(learning_rate, "adamw: learning_rate", { least = 0 })
  self.current = learning_rate
end

--- How much memory the moments take.
-- A word has moments from its first gradient on.
-- @treturn int bytes
-- @usage print(optimizer:bytes() / 2^20, "MiB")
function Adamw:bytes()
  return self.core:bytes()
end

local function key(kind, i, name)
  return ("%s.%d.%s"):format(kind, i, name)
end

--- What the optimizer has gathered, for a run that is to go on later.
-- Save it or `load_state` it before the next step: the tensors may be the
-- optimizer's own.
-- @treturn table name to tensor: `exp_avg.1.weight` and `exp_avg_sq.1.weight`
--   of the parameter's shape, `step.1.weight` int64 of one number
-- @usage safetensors.write("optimizer.safetensors", optimizer:state())
function Adamw:state()
  local state = {}
  for i, name in ipairs(self.names) do
    local steps, m, v = self.core:state(i)
    if m then
      state[key("step", i, name)] = tensor.from({ steps }, "int64")
      state[key("exp_avg", i, name)] = m
      state[key("exp_avg_sq", i, name)] = v
    end
  end
  return state
end

local function load_parameter(self, state, i, name)
  local steps = state[key("step", i, name)]
  if not steps then return 0 end
  local ok, why = pcall(self.core.set_state, self.core, i, steps:item(),
    state[key("exp_avg", i, name)], state[key("exp_avg_sq", i, name)])
  if not ok then
    error(("adamw: state of '%s': %s"):format(name, why), 0)
  end
  return 3
end

--- Takes over what `state` gave, in an optimizer of the same parameters.
-- @tparam table state name to tensor
-- @raise when a tensor is of another shape, or of a parameter not known here
-- @usage optimizer:load_state(
--   safetensors.read("optimizer.safetensors").tensors)
function Adamw:load_state(state)
  local used, given = 0, 0
  for i, name in ipairs(self.names) do
    used = used + load_parameter(self, state, i, name)
  end
  for _ in pairs(state) do given = given + 1 end
  if used ~= given then
    error(("adamw: state: %d of its %d tensors belong to no parameter")
      :format(given - used, given), 0)
  end
end

return optim
