--- What learns in a training, and how fast: a list of learners, which
-- techniques may change before the optimizer is made of it.
--
-- A learner is a table with
--
--   name           of the parameter, as `classifier:parameters` has it
--   tensor         the leaf that the optimizer moves
--   depth          0 for head and pooler, 1 for the top layer, one more for
--                  each below it, the embeddings last
--   learning_rate, weight_decay
--   of             the parameter that needs a gradient for it; `name` when nil
--
-- A parameter that no learner is of has no gradient while the training lasts:
-- the way back costs nothing for it, and ends above the lowest that learns.
-- @module lunula.train.learners

local optim = require "lunula.optim"
local plain_name = require "lunula.encoder".plain_name

local learners = {}

--- How far a parameter is from the head.
-- @string name
-- @int layers of the encoder
-- @treturn int
function learners.depth(name, layers)
  local plain = plain_name(name)
  local number = plain:match "^encoder%.layer%.(%d+)%."
  if number then return layers - tonumber(number) end
  return plain:find "^embeddings" and layers + 1 or 0
end

--- All parameters that want a gradient.
-- @tparam classifier model
-- @tparam table o options of `train`
-- @treturn {table,...} learners
function learners.all(model, o)
  local list, layers = {}, model.encoder.config.num_hidden_layers
  for _, p in ipairs(model:parameters()) do
    if p.tensor:requires_grad() then
      list[#list + 1] = {
        name = p.name, tensor = p.tensor,
        depth = learners.depth(p.name, layers),
        learning_rate = o.learning_rate,
        weight_decay = optim.decays(p.name) and o.weight_decay or 0,
      }
    end
  end
  return list
end

--- The optimizer that moves them.
-- @tparam {table,...} list
-- @tparam table o options of `train`
-- @treturn Adamw
function learners.optimizer(list, o)
  local groups = {}
  for i, learner in ipairs(list) do
    groups[i] = {
      parameters = { { name = learner.name, tensor = learner.tensor } },
      learning_rate = learner.learning_rate,
      weight_decay = learner.weight_decay,
    }
  end
  return optim.adamw(groups,
    { learning_rate = o.learning_rate, weight_decay = o.weight_decay })
end

--- Lets no other parameter have a gradient.
-- @tparam classifier model
-- @tparam {table,...} list
-- @treturn func puts back what was
function learners.freeze(model, list)
  local wanted, before = {}, {}
  for _, learner in ipairs(list) do
    wanted[learner.of or learner.name] = true
  end
  local parameters = model:parameters()
  for i, p in ipairs(parameters) do
    before[i] = p.tensor:requires_grad()
    p.tensor:requires_grad(wanted[p.name] or false)
  end
  return function()
    for i, p in ipairs(parameters) do p.tensor:requires_grad(before[i]) end
  end
end

return learners
