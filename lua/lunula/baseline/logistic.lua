--- Multinomial logistic regression over sparse vectors.
-- Trained by stochastic gradient descent with AdaGrad's step sizes (Duchi,
-- Hazan and Singer 2011), an example at a time. The weight of feature f for
-- class k is `weights[(f - 1) * classes + k]`.
-- @module lunula.baseline.logistic

local sampler = require "lunula.sampler"

local exp, sqrt = math.exp, math.sqrt

local logistic = {}

local Model = {}
Model.__index = Model

-- Errors of a class below this move no weight: most of the work with many
-- classes would otherwise go into classes that are as good as ruled out.
local QUIET = 0.01

local function filled(n, value)
  local array = {}
  for i = 1, n do array[i] = value end
  return array
end

-- Turns scores into probabilities, in place.
local function softmax(scores)
  local largest, sum = -math.huge, 0
  for _, score in ipairs(scores) do largest = math.max(largest, score) end
  for k, score in ipairs(scores) do
    scores[k] = exp(score - largest)
    sum = sum + scores[k]
  end
  for k, score in ipairs(scores) do scores[k] = score / sum end
end

local function score(self, vector, scores)
  local weights, classes = self.weights, self.classes
  for k = 1, classes do scores[k] = 0 end
  for i, id in ipairs(vector.ids) do
    local value, base = vector.values[i], (id - 1) * classes
    for k = 1, classes do
      scores[k] = scores[k] + weights[base + k] * value
    end
  end
end

local function move(self, vector, k, wrong, options)
  local weights, squares, classes = self.weights, self.squares, self.classes
  local l2, rate = options.l2, options.learning_rate
  for i, id in ipairs(vector.ids) do
    local at = (id - 1) * classes + k
    local gradient = wrong * vector.values[i] + l2 * weights[at]
    local square = squares[at] + gradient * gradient
    squares[at] = square
    weights[at] = weights[at] - rate * gradient / sqrt(square)
  end
end

local function learn(self, vector, class, scores, options)
  score(self, vector, scores)
  softmax(scores)
  scores[class] = scores[class] - 1
  for k, wrong in ipairs(scores) do
    if wrong > QUIET or wrong < -QUIET then
      move(self, vector, k, wrong, options)
    end
  end
end

--- Trains a model.
-- @tparam {table,...} vectors `{ids=, values=}` each
-- @tparam {int,...} class_of each vector's class, from 1
-- @int n_features largest id
-- @int n_classes
-- @tparam table options `epochs`, `learning_rate`, `l2` (the penalty on a
--   weight, for each example that has its feature), `seed`
-- @treturn Model
function logistic.train(vectors, class_of, n_features, n_classes, options)
  local size = n_features * n_classes
  local self = setmetatable({
    classes = n_classes,
    weights = filled(size, 0),
    squares = filled(size, 1e-8),  -- the first step divides by no zero
  }, Model)
  local scores = {}
  for epoch = 1, options.epochs do
    local order = { seed = options.seed, epoch = epoch }
    for _, i in ipairs(sampler.order(#vectors, order)) do
      learn(self, vectors[i], class_of[i], scores, options)
    end
  end
  self.squares = nil
  return self
end

--- The likeliest class of a vector; the first of those that are equally so.
-- @tparam table vector
-- @treturn int
function Model:best(vector)
  local scores, best = {}, 1
  score(self, vector, scores)
  for k = 2, self.classes do
    if scores[k] > scores[best] then best = k end
  end
  return best
end

return logistic
