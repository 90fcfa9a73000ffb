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
-- convex: there is one optimum, and no seed.
-- @module lunula.few_shot.logistic

local no_grad = require("lunula.grad").no_grad
local tensor = require "lunula.tensor"

local logistic = {}

local STEPS = 50        -- of Newton; six are usual
local PRODUCTS = 200    -- with the Hessian, within one of them
local HALVINGS = 20     -- of a step that goes too far
local TOLERANCE = 1e-6  -- of the gradient, of its size at weights of 0

local function dot(a, b)
  return (a * b):sum():item()
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
    local size = math.sqrt(dot(there.gradient, there.gradient))
    if there.loss < at.loss or size < norm then return there, size end
    step = step / 2
  end
end

local function solve(problem, w)
  local at = look(problem, w)
  local norm = math.sqrt(dot(at.gradient, at.gradient))
  problem.norm = norm
  for _ = 1, STEPS do
    if norm <= TOLERANCE * problem.norm then break end
    local better, size = move(problem, at, norm, direction(problem, at, norm))
    if not better then break end
    at, norm = better, size
  end
  return at.w
end

--- Fits weights and biases.
-- @tparam tensor vectors float32 [n, width]
-- @tparam {int,...} classes of each, from 0
-- @int n_classes at least 2
-- @number l2 penalty on the squares of the weights, above 0; scikit-learn's
--   1 / C
-- @treturn tensor weights float32 [n_classes, width]
-- @treturn tensor biases float32 [n_classes]
-- @usage local weight, bias = logistic.fit(vectors, { 0, 1, 1 }, 2, 1)
function logistic.fit(vectors, classes, n_classes, l2)
  return no_grad(function()
    local width = vectors:shape()[2]
    local w = solve({
      x = with_ones(vectors), y = one_hot(classes, n_classes),
      penalty = penalties(width, n_classes, l2),
    }, tensor.zeros { n_classes, width + 1 })
    return w:slice(2, 1, width):contiguous(),
      w:slice(2, width + 1, width + 1):contiguous():reshape { n_classes }
  end)
end

return logistic
