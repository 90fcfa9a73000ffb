--- A step of descent: the gradients of a group of batches, and what the
-- optimizer makes of them.
-- @module lunula.train.descent

local core = require "lunula.core"
local objective = require "lunula.train.objective"
local sampler = require "lunula.sampler"
local techniques = require "lunula.train.techniques"

local descent = {}

local function is_finite(x)
  return x == x and x > -math.huge and x < math.huge
end

local function check_finite(run, loss, norm)
  if is_finite(loss) and is_finite(norm) then return end
  run.optimizer:zero_grad()
  error(("train: step %d: the loss is %g and the gradients' norm %g; a lower "
    .. "learning_rate than %g may help"):format(run.step, loss, norm,
    run.options.learning_rate), 0)
end

--- Raises "interrupted" after Ctrl-C, where the program catches it.
function descent.check_interrupt()
  if core.system.interrupted() then error("interrupted", 0) end
end

-- What rows weigh in a mean of their losses.
local function weight_of(run, rows)
  return run.model.problem.weight(sampler.pick(run.plan.targets, rows),
    run.plan.loss)
end

-- Adds the gradients of a share of the rows' loss. Returns that share of it,
-- and the tokens seen.
local function learn(run, rows, share)
  descent.check_interrupt()
  local item = objective.read(run, rows)
  local loss = share * objective.loss(run, item)
  loss:backward()
  techniques.each(run, "learnt", item, share)
  return loss:item(), item.tokens
end

-- The gradients of a group of batches: those of one batch of all its rows.
-- Returns the loss of these and their tokens.
local function learn_all(run, group)
  local whole, loss, tokens = 0, 0, 0
  for _, rows in ipairs(group) do
    whole = whole + weight_of(run, rows)
  end
  for _, rows in ipairs(group) do
    local part, seen = learn(run, rows, weight_of(run, rows) / whole)
    loss, tokens = loss + part, tokens + seen
  end
  return loss, tokens
end

local function rows_of(group)
  local all = {}
  for _, rows in ipairs(group) do
    for _, row in ipairs(rows) do all[#all + 1] = row end
  end
  return all
end

--- Makes a function that makes a step, whatever is learnt in it.
-- @tparam func how of a run and a group: adds the gradients of a group of
--   batches; returns its loss, its tokens and, where that is not the number of
--   its rows, what its loss weighs in the mean of an epoch, an integer
-- @treturn func as `step`
function descent.by(how)
  return function(run, group)
    techniques.each(run, "first", run)
    local loss, tokens, weight = how(run, group)
    techniques.each(run, "gradients", run)
    local norm = run.optimizer:clip(run.options.max_grad_norm)
    check_finite(run, loss, norm)
    run.optimizer:set_learning_rate(run.learning_rate)
    run.optimizer:step()
    techniques.each(run, "stepped", run)
    local rows = rows_of(group)
    return loss, tokens, rows, weight or #rows
  end
end

--- Makes a step.
-- @function descent.step
-- @tparam table run
-- @tparam {{int,...},...} group the rows of its batches
-- @treturn number the loss before it
-- @treturn int the tokens seen
-- @treturn {int,...} all its rows
-- @treturn int what the loss weighs in the mean of an epoch
-- @raise when the loss or the gradients are not finite; "interrupted"
descent.step = descent.by(learn_all)

return descent
