--- What a training has taken, and gives back at its end.
-- @module lunula.train.memory

local core = require "lunula.core"

local memory = {}

--- Gives back gradients and moments: they are large, and of no use after the
-- last step. They go before anything else is done with the model: the best
-- weights may have to be read, and the collector might take its time.
-- @tparam table run with a `model` and an `optimizer`, which goes; and
--   `learners`, where others than the model's parameters learn
function memory.free(run)
  for _, parameter in ipairs(run.model:parameters()) do
    parameter.tensor:zero_grad()
  end
  for _, learner in ipairs(run.learners or {}) do
    learner.tensor:zero_grad()
  end
  run.optimizer = nil
  collectgarbage()
  core.system.trim()
end

return memory
