--- Where to train: which parameters learn, and how fast the deeper ones do.
--
--   tune = "head"          the linear head alone (see `lunula.train.cached`)
--   tune = "bias"          biases (BitFit: Ben Zaken et al. 2022,
--                          https://arxiv.org/abs/2106.10199)
--   tune = "adapters"      bottleneck adapters and LayerNorm (Houlsby et al.
--                          2019, https://arxiv.org/abs/1902.00751)
--   tune = "lora"          low-rank changes (see `lunula.train.lora`)
--   freeze                 what is not to learn, by name
--   layer_decay            learning_rate times layer_decay^depth: head and
--                          pooler 0, the top layer 1, the embeddings last
--                          (Howard & Ruder 2018, "Universal Language Model
--                          Fine-tuning", https://arxiv.org/abs/1801.06146)
--   gradual_unfreezing     the head first, then one more layer every so many
--                          epochs, from the top, the embeddings last (ibid.)
--   reinit_layers          see `encoder:reinit`
--
-- The head always learns, and with it a pooler that is new, but with "head".
-- @module lunula.train.tune

local plain_name = require "lunula.encoder".plain_name

local tune = {}

tune.options = {
  { name = "tune", type = "choice",
    choices = { "all", "head", "bias", "adapters", "lora" },
    what = "what learns: all, head, bias, adapters, lora (all)" },
  { name = "freeze", type = "strings",
    what = "patterns of Lua: parameters that one finds do not learn" },
  { name = "layer_decay", type = "number", above = 0, most = 1,
    what = "factor of the rate from each layer to the one below" },
  { name = "gradual_unfreezing", type = "integer", least = 0, default = 0,
    what = "epochs until one more layer learns, from the top" },
  { name = "reinit_layers", type = "integer", least = 0, default = 0,
    what = "layers at the top that start at random, and the pooler" },
}

local function fail(message, ...)
  error("train: " .. message:format(...), 0)
end

--- Checks what goes with what.
-- @tparam table o
function tune.check(o)
  local kind = o.tune or "all"
  if o.reinit_layers > 0 and kind ~= "all" then
    fail('reinit_layers: layers that start at random must learn, which tune = '
      .. '"%s" does not let them', kind)
  end
  if o.gradual_unfreezing > 0 and (kind == "head" or kind == "lora") then
    fail('gradual_unfreezing: with tune = "%s" there are no layers to thaw',
      kind)
  end
end

-- {======== which ========

local function is_head(name)
  return not (name:find "^encoder%." or name:find "^embeddings"
    or name:find "^pooler%.")
end

local LEARNS = {
  all = function() return true end,
  head = function() return false end,
  lora = function() return false end,
  bias = function(name) return name:find "bias$" end,
  adapters = function(name)
    return name:find(".adapter.", 1, true) or name:find "LayerNorm"
  end,
}

--- Whether `freeze` keeps a parameter from learning.
-- @tparam table o options of `train`
-- @string name
-- @treturn bool
function tune.is_frozen(o, name)
  for _, pattern in ipairs(o.freeze or {}) do
    if plain_name(name):find(pattern) then return true end
  end
  return false
end

-- a pattern that is none raises
local function finds(pattern, list)
  for _, learner in ipairs(list) do
    local ok, found = pcall(string.find, plain_name(learner.name), pattern)
    if not ok then fail("freeze: '%s': %s", pattern, found) end
    if found then return true end
  end
  return false
end

local function check_patterns(o, list)
  for _, pattern in ipairs(o.freeze or {}) do
    if not finds(pattern, list) then
      fail("freeze: '%s' finds no parameter; one is %s", pattern,
        plain_name(list[1].name))
    end
  end
end

local function check_adapters(list)
  for _, learner in ipairs(list) do
    if learner.name:find(".adapter.", 1, true) then return end
  end
  fail('tune = "adapters": the model has none; make it with adapter_size')
end

local function chosen(run, list)
  local o, some = run.options, {}
  local kind = o.tune or "all"
  local new_pooler = kind ~= "head" and run.model.encoder.pooler_is_new
  for _, learner in ipairs(list) do
    local name = plain_name(learner.name)
    local learns = is_head(name) or LEARNS[kind](name)
      or new_pooler and name:find "^pooler%."
    if learns and not tune.is_frozen(o, name) then
      some[#some + 1] = learner
    end
  end
  return some
end

-- }========

-- {======== gradual unfreezing ========

local Thaw = {}
Thaw.__index = Thaw

function Thaw:first(run)
  local depth = math.floor((run.epoch - 1) / self.every)
  if depth == self.depth then return end
  self.depth = depth
  for _, learner in ipairs(run.learners) do
    learner.tensor:requires_grad(learner.depth <= depth)
  end
end

-- }========

-- the head is first: without it a step would have nothing to learn
local function check_first(run)
  for _, learner in ipairs(run.learners) do
    local name = plain_name(learner.name)
    if is_head(name) then return end
    if name:find "^pooler%." and run.model.pooling == "pooler" then return end
  end
  fail("gradual_unfreezing: freeze leaves nothing of the head to begin with")
end

--- Chooses what learns of `run.learners`.
-- @tparam table run
-- @treturn ?table what thaws layers, where that is asked for
-- @raise when a pattern finds nothing, or nothing is left to learn
function tune.new(run)
  local o, model, list = run.options, run.model, run.learners
  check_patterns(o, list)
  if o.tune == "adapters" then check_adapters(list) end
  run.learners = chosen(run, list)
  if #run.learners == 0 and o.tune ~= "lora" then
    fail("freeze: nothing is left to learn")
  end
  for _, learner in ipairs(run.learners) do
    learner.learning_rate = learner.learning_rate
      * (o.layer_decay or 1) ^ learner.depth
  end
  if o.gradual_unfreezing > 0 then check_first(run) end
  if o.reinit_layers > 0 then model.encoder:reinit(o.reinit_layers, o.seed) end
  if o.gradual_unfreezing == 0 then return nil end
  return setmetatable({ every = o.gradual_unfreezing }, Thaw)
end

return tune
