--- What a training makes small: the loss of a batch, with all that techniques
-- add to it.
--
--   rows -> batch -> pooled vectors -> logits -> loss
-- @module lunula.train.objective

local sampler = require "lunula.sampler"
local techniques = require "lunula.train.techniques"

local objective = {}

--- Reads a batch.
-- @tparam table run
-- @tparam {int,...} rows
-- @treturn table `rows`, which techniques may have changed, `batch`, `tokens`
--   and `given`, for `classifier:pooled`
function objective.read(run, rows)
  local item = { rows = rows }
  techniques.each(run, "rows", item)
  item.batch, item.tokens = run.plan.tokens:batch(item.rows)
  techniques.each(run, "batch", item)
  return item
end

--- The loss of logits, without what techniques add.
-- @tparam table run
-- @tparam tensor logits [rows, outputs]
-- @tparam {int,...} rows whose targets they should meet
-- @treturn tensor one number, recorded
function objective.of_logits(run, logits, rows)
  return run.model.problem.loss(logits, sampler.pick(run.plan.targets, rows),
    run.plan.loss, run.model.head)
end

--- The loss of a batch.
-- @tparam table run
-- @tparam table item as from `read`
-- @tparam[opt] table given for `classifier:pooled`; the item's
-- @treturn tensor one number, recorded
-- @treturn tensor logits [rows, outputs]
function objective.loss(run, item, given)
  local vectors = run.model:pooled(item.batch, given or item.given)
  vectors = techniques.through(run, "vectors", item, vectors)
  local logits = run.model:classify(vectors)
  local loss = objective.of_logits(run, logits, item.rows)
  return techniques.through(run, "loss", item, loss, logits), logits
end

return objective
