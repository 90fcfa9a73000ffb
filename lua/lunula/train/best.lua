--- The best weights of a training: which they are, and a copy of them.
-- Where a checkpoint is kept, the best weights are in it, and no second copy
-- of them is held in memory.
-- @module lunula.train.best

local checkpoint = require "lunula.checkpoint"
local grad = require "lunula.grad"
local problem = require "lunula.problem"

local best = {}

local Best = {}
Best.__index = Best

--- Follows a metric.
-- @tparam classifier model
-- @string metric a field of the reports, such as "accuracy"; losses and errors
--   are better when they are lower, all others when they are higher
-- @string[opt] dir the checkpoint's folder
-- @int[opt] steps after which the training ends: of weights that are the best
--   then, no copy is needed. nil when the best are not to come back.
-- @treturn Best with the methods below
function best.new(model, metric, dir, steps)
  return setmetatable({
    model = model, metric = metric, dir = dir, steps = steps, since = 0,
  }, Best)
end

-- Of equals, the one with the lower loss.
local function is_better(self, report)
  local value, before = report[self.metric], self.value
  if before == nil then return true end
  if value == before then return report.loss < self.loss end
  if problem.LOWER[self.metric] then return value < before end
  return value > before
end

-- Weights over those copied before, so that memory is taken once.
local function copy_weights(self)
  self.copies = self.copies or {}
  for i, parameter in ipairs(self.model:parameters()) do
    local copy = self.copies[i]
    if copy then
      copy:copy(parameter.tensor)
    else
      self.copies[i] = grad.no_grad(parameter.tensor.clone, parameter.tensor)
    end
  end
end

--- Looks at a report: keeps the weights when it is the best so far.
-- @tparam table report of `evaluate`
-- @int epoch
-- @int step
-- @treturn bool whether it is the best
function Best:see(report, epoch, step)
  if not is_better(self, report) then
    self.since = self.since + 1
    return false
  end
  self.value, self.loss = report[self.metric], report.loss
  self.epoch, self.step, self.since = epoch, step, 0
  self.thresholds = self.model:get_thresholds()
  if self.dir then
    self.model.encoder:trim()  -- a save reads all words of a mapped file
    self.model:save(self.dir)
  elseif self.steps and step < self.steps then
    copy_weights(self)
  end
  return true
end

--- Puts the best weights back, where the last ones are others.
-- @int step the last
-- @treturn bool whether the last ones were others
function Best:restore(step)
  if not self.steps or not self.step or self.step == step then return false end
  self.model:set_thresholds(self.thresholds)
  if self.dir then
    self.model:set_weights(checkpoint.read(self.dir).tensors)
    return true
  end
  for i, parameter in ipairs(self.model:parameters()) do
    parameter.tensor:copy(self.copies[i])
  end
  return true
end

--- Lets go of the copies, which nothing needs once a training has ended.
function Best:forget()
  self.copies = nil
end

return best
