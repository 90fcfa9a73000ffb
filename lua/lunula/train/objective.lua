--- What a training makes small: the loss of a batch, with all that techniques
-- add to it.
--
--   rows -> batch -> pooled vectors -> logits -> loss
-- @module lunula.train.objective

local sampler = require "lunula.sampler"
local techniques = require "lunula.train.techniques"
local tensor = require "lunula.tensor"

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

--- The mean of what each row adds to the loss. As in the loss of logits, a row
-- counts as much as its class weighs: so the parts of a step, of which each
-- has its share, make what one batch of all of them would.
-- @tparam table run
-- @tparam tensor values [rows]
-- @tparam {int,...} rows
-- @treturn tensor one number, recorded
function objective.mean(run, values, rows)
  local of_class = run.plan.loss.weight
  if not of_class then return values:mean() end
  local weights, sum = {}, 0
  for i, row in ipairs(rows) do
    weights[i] = of_class[run.plan.targets[row] + 1]
    sum = sum + weights[i]
  end
  return (values * tensor.from(weights)):sum() * (1 / sum)
end

--- How far two answers are apart, row by row: KL(p || q) + KL(q || p), which
-- is the sum of (p - q)(log p - log q).
-- @tparam tensor logits [rows, labels]
-- @tparam tensor others likewise
-- @treturn tensor [rows], recorded
function objective.divergence(logits, others)
  local p, q = logits:log_softmax(-1), others:log_softmax(-1)
  return ((p:exp() - q:exp()) * (p - q)):sum(2)
end

--- The logits of a batch.
-- @tparam table run
-- @tparam table item as from `read`
-- @tparam[opt] table given for `classifier:pooled`; the item's
-- @treturn tensor [rows, outputs], recorded
function objective.logits(run, item, given)
  local vectors = item.vectors
    or run.model:pooled(item.batch, given or item.given)
  return run.model:classify(
    techniques.through(run, "vectors", item, vectors))
end

--- The loss of a batch.
-- @tparam table run
-- @tparam table item as from `read`
-- @tparam[opt] table given for `classifier:pooled`; the item's
-- @treturn tensor one number, recorded
function objective.loss(run, item, given)
  local logits = objective.logits(run, item, given)
  local loss = objective.of_logits(run, logits, item.rows)
  return techniques.through(run, "loss", item, loss, logits)
end

return objective
