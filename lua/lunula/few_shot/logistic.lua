--- Multinomial logistic regression over dense vectors, to the optimum.
-- Minimises what scikit-learn's LogisticRegression does, with its weights:
--
--    sum of cross entropies + l2 / 2 * (sum of squared weights)
--
-- where biases are free. Two classes have one weight vector there and two
-- here, each half of it: the penalty is doubled to come to the same.
--
-- Newton's method, each step solved by conjugate gradients that never hold the
-- Hessian (Nocedal & Wright 2006, "Numerical Optimization", 7.1). The loss is
-- convex: there is one optimum, and no seed. Vectors are moved so that their
-- mean is 0, which a free bias makes good: sentence vectors have much in
-- common, and the steps towards the optimum would be small for it.
-- @module lunula.few_shot.logistic

local no_grad = require("lunula.grad").no_grad
local tensor = require "lunula.tensor"

local logistic = {}

local STEPS = 50        -- of Newton; six are usual
local PRODUCTS = 200    -- with the Hessian, within one of them
local HALVINGS = 20     -- of a step that goes too far
local TOLERANCE = 1e-6  -- of the gradient, of its size at weights of 0
local NEAR = 1e-3       -- from which on a step that doesn't halve the gradient
                        -- is one of float32's last digits

local function dot(a, b)
  return (a * b):sum():item()
end

local function size_of(gradient)
  return math.sqrt(dot(gradient, gradient))
end

-- The vectors, and a 1 at the end of each for the bias: [n, width + 1].
local function with_ones(vectors)
  return tensor.concat({ vectors, tensor.ones { #vectors, 1 } }, 2)
end

-- 1 where a row's class is: [n, classes]
local function one_hot(classes, n_classes)
  local rows = {}
  for i, class in ipairs(classes) do
    rows[i] = {}
    for k = 1, n_classes do rows[i][k] = k == class + 1 and 1 or 0 end
  end
  return tensor.from(rows)
end

-- What each weight is penalised by: [width + 1], 0 for the bias.
local function penalties(width, n_classes, l2)
  if n_classes == 2 then l2 = 2 * l2 end
  return tensor.concat({ tensor.full({ width }, l2), tensor.zeros { 1 } }, 1)
end

-- Where the weights w [classes, width + 1] are: loss, gradient of their shape,
-- and the probabilities [n, classes] that the Hessian is made of.
local function look(problem, w)
  local logp = problem.x:matmul(w:transpose(1, 2)):log_softmax(2)
  local p, pulled = logp:exp(), w * problem.penalty
  return {
    w = w, p = p,
    loss = dot(pulled, w) / 2 - dot(logp, problem.y),
    gradient = (p - problem.y):transpose(1, 2):matmul(problem.x) + pulled,
  }
end

-- The Hessian's product with v, which has the weights' shape.
local function curve(problem, p, v)
  local a = problem.x:matmul(v:transpose(1, 2))
  local bent = p * (a - (p * a):sum(2, true))
  return bent:transpose(1, 2):matmul(problem.x) + v * problem.penalty
end

-- Solves Hessian * d = -gradient, as well as is worth it so far from the end.
local function direction(problem, at, norm)
  local d, r = tensor.zeros(at.w:shape()), -at.gradient
  local s, rr = r, norm * norm
  local enough = math.min(0.25, math.sqrt(norm / problem.norm)) * norm
  for _ = 1, PRODUCTS do
    local hs = curve(problem, at.p, s)
    local bend = dot(s, hs)
    if bend <= 0 or rr <= enough * enough then break end
    local step = rr / bend
    d, r = d + s * step, r - hs * step
    local before = rr
    rr = dot(r, r)
    s = r + s * (rr / before)
  end
  return d
end

-- The point along d that is better: by the loss or, so near the optimum that
-- its digits don't tell, by the gradient. Nothing where there is none.
local function move(problem, at, norm, d)
  local step = 1
  for _ = 1, HALVINGS do
    local there = look(problem, at.w + d * step)
    local size = size_of(there.gradient)
    if there.loss < at.loss or size < norm then return there, size end
    step = step / 2
  end
end

local function solve(problem, w, tolerance)
  local at = look(problem, w)
  local norm = size_of(at.gradient)
  for _ = 1, STEPS do
    if norm <= tolerance * problem.norm then break end
    local better, size = move(problem, at, norm, direction(problem, at, norm))
    local is_last = norm <= NEAR * problem.norm and better and size > norm / 2
    if not better or is_last and size >= norm then break end
    at, norm = better, size
    if is_last then break end
  end
  return at.w
end

-- The weights to begin with, [classes, width + 1], for vectors moved by -mean.
local function first_weights(start, mean, n_classes, width)
  if not start then return tensor.zeros { n_classes, width + 1 } end
  local bias = start.bias:reshape { n_classes, 1 }
    + start.weight:matmul(mean:transpose(1, 2))
  return tensor.concat({ start.weight, bias }, 2)
end

local function fit(vectors, classes, n_classes, l2, given)
  local width, mean = vectors:shape()[2], vectors:mean(1, true)
  local problem = { x = with_ones(vectors - mean),
    y = one_hot(classes, n_classes),
    penalty = penalties(width, n_classes, l2) }
  problem.norm = size_of(
    look(problem, tensor.zeros { n_classes, width + 1 }).gradient)
  local w = solve(problem, first_weights(given.start, mean, n_classes, width),
    given.tolerance or TOLERANCE)
  local weight = w:slice(2, 1, width):contiguous()
  local bias = w:slice(2, width + 1, width + 1)
    - weight:matmul(mean:transpose(1, 2))
  return weight, bias:contiguous():reshape { n_classes }
end

--- Fits weights and biases.
-- @tparam tensor vectors float32 [n, width]
-- @tparam {int,...} classes of each, from 0
-- @int n_classes at least 2
-- @number l2 penalty on the squares of the weights, above 0; scikit-learn's
--   1 / C
-- @tparam[opt] table given
-- @number[opt=1e-6] given.tolerance of the gradient, of its size at weights of
--   0; less than float32 has digits for is not tried
-- @tparam[opt] table given.start `{ weight =, bias = }` to begin with, such as
--   those of nearly the same rows; the optimum is the same
-- @treturn tensor weights float32 [n_classes, width]
-- @treturn tensor biases float32 [n_classes]
-- @usage local weight, bias = logistic.fit(vectors, { 0, 1, 1 }, 2, 1)
function logistic.fit(vectors, classes, n_classes, l2, given)
  return no_grad(fit, vectors, classes, n_classes, l2, given or {})
end

return logistic
