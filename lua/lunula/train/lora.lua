--- Training with LoRA: see `lunula.lora`. A step reads the merged matrices, and
-- their gradients go on to A and B, of which the optimizer knows.
--
-- A model that has an adapter already goes on with it.
-- @module lunula.train.lora

local effective = require "lunula.train.effective"
local grad = require "lunula.grad"
local learners = require "lunula.train.learners"
local lora = require "lunula.lora"
local plain_name = require "lunula.encoder".plain_name
local tune = require "lunula.train.tune"

local technique = {}

local MODULES = {
  query = "attention.self.query", key = "attention.self.key",
  value = "attention.self.value",
  ["attention.output.dense"] = "attention.output.dense",
  ["intermediate.dense"] = "intermediate.dense",
  ["output.dense"] = "output.dense",
}

local LEARNT, ALL = { "a", "b" }, { "a", "b", "base" }

technique.options = {
  { name = "lora_rank", type = "integer", least = 1, default = 8,
    what = "of what a matrix learns (8)", needs = { "tune", "lora" } },
  { name = "lora_alpha", type = "number", above = 0, default = 16,
    what = "it counts alpha / rank (16)", needs = { "tune", "lora" } },
  { name = "lora_modules", type = "strings", default = { "query", "value" },
    what = "of query, key, value, attention.output.dense, intermediate.dense,"
      .. " output.dense (query,value)", needs = { "tune", "lora" } },
}

local function fail(message, ...)
  error("train: " .. message:format(...), 0)
end

--- Checks what goes with what.
-- @tparam table o
function technique.check(o)
  for _, name in ipairs(o.lora_modules) do
    if not MODULES[name] then
      fail("lora_modules: expected query, key, value, attention.output.dense, "
        .. "intermediate.dense or output.dense, got '%s'", name)
    end
  end
  if o.tune == "lora" and o.averaging then
    fail('averaging: not with tune = "lora": the mean of products B A is not '
      .. "the product of means")
  end
end

-- {======== the adapter ========

local function is_chosen(plain, o)
  for _, name in ipairs(o.lora_modules) do
    local module = plain:match "^encoder%.layer%.%d+%.(.*)%.weight$"
    if module == MODULES[name] then return not tune.is_frozen(o, plain) end
  end
  return false
end

local function targets(model, o)
  local list = {}
  for _, p in ipairs(model:parameters()) do
    if is_chosen(plain_name(p.name), o) then list[#list + 1] = p end
  end
  if #list == 0 then
    fail("lora_modules: none is left to learn")
  end
  return list
end

local function fits(adapter, list, o)
  local names = {}
  for _, part in ipairs(adapter.parts) do names[part.name] = true end
  for _, p in ipairs(list) do
    if not names[p.name] then return false end
  end
  return #list == #adapter.parts and adapter.rank == o.lora_rank
    and adapter.alpha == o.lora_alpha
end

local function adapter_for(model, o)
  local list = targets(model, o)
  local adapter = model.adapter
  if not adapter then
    return lora.attach(model, list, o.lora_rank, o.lora_alpha, o.seed)
  elseif not fits(adapter, list, o) then
    fail("the model has an adapter of rank %d, alpha %g and %d matrices, not "
      .. "the one that is asked for; lunula.lora.unmerge(model) takes it off",
      adapter.rank, adapter.alpha, #adapter.parts)
  end
  return adapter
end

local function add_learners(run, adapter)
  local o, layers = run.options, run.model.encoder.config.num_hidden_layers
  for _, part in ipairs(adapter.parts) do
    local depth = learners.depth(part.name, layers)
    for _, half in ipairs(LEARNT) do
      table.insert(run.learners, {
        name = part.module .. ".lora_" .. half:upper() .. ".weight",
        tensor = part[half], of = part.name, depth = depth,
        learning_rate = o.learning_rate * (o.layer_decay or 1) ^ depth,
        weight_decay = o.weight_decay,
      })
    end
  end
end

-- }========

-- {======== a training ========

local Lora = {}
Lora.__index = Lora

function Lora:first() self.effective:first() end
function Lora:gradients() self.effective:gradients() end
function Lora:stepped() self.effective:settle() end

-- tensors of an adapter by name
local function tensors_of(adapter, names)
  local all = {}
  for _, part in ipairs(adapter.parts) do
    for _, name in ipairs(names) do
      all[part.module .. ".lora_" .. name] = part[name]
    end
  end
  return all
end

local function copied(tensors)
  local copies = {}
  for name, t in pairs(tensors) do
    copies[name] = grad.no_grad(t.clone, t)
  end
  return copies
end

local function copy_over(tensors, copies)
  for name, t in pairs(tensors) do t:copy(copies[name]) end
end

function Lora:keep()
  self.kept = copied(tensors_of(self.adapter, LEARNT))
end

function Lora:restore()
  copy_over(tensors_of(self.adapter, LEARNT), self.kept)
end

function Lora:outcome()
  return tensors_of(self.adapter, ALL)
end

function Lora:state()
  local all = self:outcome()
  for name, t in pairs(self.kept or {}) do all["best/" .. name] = t end
  return all
end

local function kept_in(state, tensors)
  local kept = {}
  for name in pairs(tensors) do kept[name] = state["best/" .. name] end
  return next(kept) and copied(kept)
end

function Lora:load_state(state)
  copy_over(tensors_of(self.adapter, ALL), state)
  self.kept = kept_in(state, tensors_of(self.adapter, LEARNT))
  self.effective:settle()
end

--- Makes it, where it is asked for.
-- @tparam table run
-- @treturn ?table
function technique.new(run)
  local o, model = run.options, run.model
  if o.tune ~= "lora" then
    if o.tune ~= "head" then model.adapter = nil end  -- no longer all of it
    return nil
  end
  local adapter, entries = adapter_for(model, o), {}
  add_learners(run, adapter)
  for i, part in ipairs(adapter.parts) do
    entries[i] = { parameter = part.tensor, make = function()
      return lora.merged(adapter, part)
    end }
  end
  return setmetatable({ adapter = adapter,
    effective = effective.new(entries) }, Lora)
end

-- }========

return technique
