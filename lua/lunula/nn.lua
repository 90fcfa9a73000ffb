--- What heads and losses are made of.
-- A layer is an object with `forward(x)` and `parameters()`, an array of
-- `{ name = "weight", tensor = t }`; the optimizer and the checkpoint ask for
-- no more.
-- @module lunula.nn

local check = require "lunula.check"
local core = require "lunula.core"
local options = require "lunula.options"
local tensor = require "lunula.tensor"

local nn = {}

-- the stream of first weights: other numbers than dropout's by the same seed
local WEIGHTS = 2 ^ 32 - 1

--- @type linear
local linear = {}
linear.__index = linear

--- A linear layer: `x W' + b`. Weights start normally distributed, biases at
-- 0, as BERT's do.
-- @function nn.linear
-- @int inputs size of the last dimension of what comes in
-- @int outputs and of what goes out
-- @tparam[opt] table given
-- @bool[opt=true] given.bias
-- @int[opt=0] given.seed
-- @number[opt=0.02] given.std standard deviation of the first weights
-- @treturn linear with fields `weight` [outputs, inputs] and `bias` [outputs]
-- @raise when a size is no positive integer
-- @usage local head = nn.linear(384, 2, { seed = 1 })
--   local logits = head:forward(hidden:pool "first")
function nn.linear(inputs, outputs, given)
  local o = options.check(given, { bias = true, seed = 0, std = 0.02 },
    "nn.linear")
  check.integer(inputs, "nn.linear: inputs", { least = 1 })
  check.integer(outputs, "nn.linear: outputs", { least = 1 })
  check.boolean(o.bias, "nn.linear: bias")
  check.integer(o.seed, "nn.linear: seed")
  check.number(o.std, "nn.linear: std", { least = 0 })
  local self = setmetatable({}, linear)
  self.weight = tensor.normal({ outputs, inputs },
    { std = o.std, seed = o.seed, purpose = WEIGHTS }):requires_grad(true)
  if o.bias then self.bias = tensor.zeros({ outputs }):requires_grad(true) end
  return self
end

--- @function linear:forward
-- @tparam tensor x [..., inputs]
-- @treturn tensor [..., outputs]
function linear:forward(x)
  check.tensor(x, "linear:forward")
  local y = x:matmul(self.weight:transpose(1, 2))
  return self.bias and y + self.bias or y
end

--- What is trained.
-- @function linear:parameters
-- @treturn {{name=string,tensor=tensor},...}
function linear:parameters()
  local list = { { name = "weight", tensor = self.weight } }
  if self.bias then list[2] = { name = "bias", tensor = self.bias } end
  return list
end

--- @type dropout
local dropout = {}
dropout.__index = dropout

--- Dropout (Srivastava et al. 2014), on while training. Each forward draws
-- numbers further on in its stream; `position` says where it stands, and may
-- be set to go on from there.
-- @function nn.dropout
-- @number p probability that an element becomes 0: at least 0, below 1
-- @tparam[opt] table given
-- @int[opt=0] given.seed
-- @int[opt=0] given.purpose which of the layers that share a seed
-- @treturn dropout
-- @raise when p is no such probability
-- @usage local drop = nn.dropout(0.1, { seed = 1 })
--   local x = drop:forward(pooled)
function nn.dropout(p, given)
  local o = options.check(given, { seed = 0, purpose = 0 }, "nn.dropout")
  check.number(p, "nn.dropout: p", check.PROBABILITY)
  check.integer(o.seed, "nn.dropout: seed")
  check.integer(o.purpose, "nn.dropout: purpose",
    { least = 0, below = 2 ^ 32 })
  return setmetatable({ p = p, seed = o.seed, purpose = o.purpose,
    position = 0, training = true }, dropout)
end

local function count(shape)
  local n = 1
  for _, size in ipairs(shape) do n = n * size end
  return n
end

--- @function dropout:forward
-- @tparam tensor x
-- @treturn tensor x itself when not training
function dropout:forward(x)
  check.tensor(x, "dropout:forward")
  if not self.training or self.p == 0 then return x end
  local y = x:dropout(self.p, self.seed, self.purpose, self.position)
  self.position = self.position + count(x:shape())
  return y
end

--- Turns dropping on, as it is at first, or off.
-- @function dropout:train
-- @bool[opt=true] on
-- @treturn dropout itself
function dropout:train(on)
  self.training = on ~= false
  return self
end

--- There is nothing to train.
-- @function dropout:parameters
-- @treturn table empty
function dropout.parameters()
  return {}
end

local EPS = 1e-24  -- under the root: a vector of zeros stays one

--- Vectors of length 1: a product of two is then their cosine.
-- @tparam tensor x [..., width]
-- @treturn tensor of the same shape; zeros where there were but zeros
-- @usage local cosines = (nn.normalize(a) * nn.normalize(b)):sum(-1)
function nn.normalize(x)
  return x / ((x * x):sum(-1, true) + EPS):sqrt()
end

--- Losses.
-- @section losses

local function class_tensor(classes)
  if type(classes) == "table" then return tensor.from(classes, "int64") end
  return classes
end

local function weight_tensor(weight)
  if type(weight) == "table" then return tensor.from(weight) end
  return weight
end

--- The mean cross entropy of logits and classes, as PyTorch defines it: each
-- row counts as much as its class weighs.
-- @tparam tensor logits [n, C]
-- @tparam tensor|{int,...} classes [n], int32 or int64, counting from 0
-- @tparam[opt] table given
-- @tparam ?tensor|{number,...} given.weight [C], one for each class
-- @number[opt=0] given.label_smoothing 0 .. 1 (Szegedy et al. 2016)
-- @int[opt=-100] given.ignore_index rows of this class don't count
-- @treturn tensor one number; NaN when no row counts
-- @raise when shapes don't fit or a class is not in 0 .. C - 1
-- @usage local loss = nn.cross_entropy(logits, { 0, 1, 1 })
function nn.cross_entropy(logits, classes, given)
  local o = options.check(given, { weight = options.none, label_smoothing = 0,
    ignore_index = -100 }, "nn.cross_entropy")
  return core.ops.cross_entropy(logits, class_tensor(classes),
    weight_tensor(o.weight), o.label_smoothing, o.ignore_index)
end

-- added to 1 - p, so that its logarithm is a number where p is 1; lost in the
-- rounding of any other
local LEAST = 1e-12

-- what the rows count, [n]
local function row_weights(classes, weight)
  if not weight then return tensor.ones(classes:shape()) end
  return weight_tensor(weight):index(1, classes)
end

--- The focal loss of logits and classes (Lin et al. 2017, "Focal Loss for
-- Dense Object Detection"): the cross entropy of a row, times (1 - p)^gamma,
-- where p is the probability of the right class. Rows that are known already
-- count little. The mean is that of `cross_entropy`, which it is at gamma 0.
-- @tparam tensor logits [n, C]
-- @tparam tensor|{int,...} classes [n], int32 or int64, counting from 0
-- @tparam[opt] table given
-- @number[opt=2] given.gamma at least 0
-- @tparam ?tensor|{number,...} given.weight [C], one for each class
-- @treturn tensor one number
-- @raise when shapes don't fit or a class is not in 0 .. C - 1
-- @usage local loss = nn.focal_loss(logits, { 0, 1, 1 }, { gamma = 2 })
function nn.focal_loss(logits, classes, given)
  local o = options.check(given, { gamma = 2, weight = options.none },
    "nn.focal_loss")
  check.number(o.gamma, "nn.focal_loss: gamma", { least = 0 })
  classes = class_tensor(classes)
  local weights = row_weights(classes, o.weight)
  local log_p = logits:log_softmax(-1)
    :gather(2, classes:reshape { -1, 1 }):reshape { -1 }
  local hard = ((1 - log_p:exp() + LEAST):log() * o.gamma):exp()
  return -(hard * log_p * weights):sum() / weights:sum()
end

--- The mean cross entropy of a linear layer's outputs and classes, where there
-- are many classes, as words: faster than both ops, and with a third of their
-- memory, since logits become their gradient where they lie (after Wijmans et
-- al. 2024, "Cut Your Losses in Large-Vocabulary Language Models",
-- https://arxiv.org/abs/2411.09009, who keep none of them).
-- @tparam tensor x [n, H]
-- @tparam tensor weight [C, H]
-- @tparam tensor bias [C]
-- @tparam tensor|{int,...} classes [n], int32 or int64, counting from 0
-- @treturn tensor one number; NaN of no rows
-- @raise when shapes don't fit or a class is not in 0 .. C - 1
-- @usage local loss = nn.linear_cross_entropy(x, words, bias, targets)
function nn.linear_cross_entropy(x, weight, bias, classes)
  return core.ops.linear_cross_entropy(x, weight, bias, class_tensor(classes))
end

--- The mean squared error.
-- @function nn.mse
-- @tparam tensor a
-- @tparam tensor b of the same shape
-- @treturn tensor one number
-- @usage local loss = nn.mse(scores, targets)
nn.mse = core.ops.mse

--- The mean binary cross entropy of sigmoid(logits), computed so that no logit
-- is too large.
-- @tparam tensor logits of any shape
-- @tparam tensor targets of the same shape, 0 .. 1; a constant
-- @tparam[opt] table given
-- @tparam ?tensor|{number,...} given.pos_weight how much a positive target
-- counts; broadcasts to the logits
-- @treturn tensor one number
-- @usage local loss = nn.binary_cross_entropy_with_logits(logits, targets)
function nn.binary_cross_entropy_with_logits(logits, targets, given)
  local o = options.check(given, { pos_weight = options.none },
    "nn.binary_cross_entropy_with_logits")
  return core.ops.binary_cross_entropy_with_logits(logits, targets,
    weight_tensor(o.pos_weight))
end

return nn
