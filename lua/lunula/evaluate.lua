--- How well a model labels rows that it has not learnt from.
-- Called as a function (@{evaluate}); training prepares its validation rows
-- once and judges them often (@{prepare}, @{run}).
-- @module lunula.evaluate

local check = require "lunula.check"
local encoded = require "lunula.encoded"
local options = require "lunula.options"
local sampler = require "lunula.sampler"

local KNOWN = { batch_size = 32 }

local function nothing() end

-- What the model's problem reads for each row, and the loss of all. Rows of
-- like length are side by side: batches of like cost.
local function judge(model, prepared, limit, on_batch)
  local tokens, targets = prepared.tokens, prepared.targets
  local found, total = {}, 0
  local order = sampler.by_length(tokens.lengths)
  for _, numbers in ipairs(sampler.cut_to_read(order, limit.batch_size,
      tokens.lengths)) do
    on_batch()
    local logits = limit.logits(model, (tokens:batch(numbers)))
    local loss = model.problem.loss(logits, sampler.pick(targets, numbers))
    total = total + loss:item() * #numbers
    for i, read in ipairs(model.problem.read(logits)) do
      found[numbers[i]] = read
    end
  end
  return found, total / #targets
end

local evaluate = {}

--- What `evaluate.run` needs of rows, worked out once for several runs.
-- @tparam classifier model
-- @tparam {table,...} rows as from `data.read`
-- @string what who asks, for the message
-- @treturn table; with a true `tune` in it, a run first settles what rows may
--   decide of answers: the thresholds of a multi-label model
-- @raise when there are no rows, or a label is not one of the model's
function evaluate.prepare(model, rows, what)
  model.problem.check_rows(rows, what)
  return {
    tokens = encoded.new(model.tokenizer, rows, model.max_length, what),
    targets = model.problem.targets(rows, model.labels, what),
  }
end

--- Judges a model by rows that were prepared.
-- @tparam classifier model
-- @tparam table prepared by `evaluate.prepare`
-- @tparam[opt] table limit `batch_size`, the most rows of a batch
-- @func[opt] on_batch called before each batch; what it raises ends the run
-- @treturn table as `evaluate` returns
function evaluate.run(model, prepared, limit, on_batch)
  local how = {
    batch_size = limit and limit.batch_size or KNOWN.batch_size,
    -- while it learns: no copy of the weights is worth to be made
    logits = model:is_training() and model.forward or model.logits,
  }
  local found, loss = model:infer(judge, model, prepared, how,
    on_batch or nothing)
  if prepared.tune then model.problem.tune(model, found, prepared.targets) end
  local report = model.problem.report(found, prepared.targets, model)
  report.loss = loss
  return report
end

--- Judges a model by labelled rows.
-- @function evaluate
-- @tparam classifier model
-- @tparam {table,...} rows as from `data.read`
-- @tparam[opt] table given
-- @int[opt=32] given.batch_size most rows of a batch
-- @treturn table as from `metrics.report`, over all labels of the model; of a
--   multi-label model as from `metrics.multi_label`, of a regression
--   `metrics.regression`, of ordinal labels `metrics.ordinal`; and `loss`, the
--   mean loss. `tostring` gives a table for a terminal.
-- @raise when there are no rows, or a label is not one of the model's
-- @usage print(lunula.evaluate(model, parts.test))
local function judge_rows(_, model, rows, given)
  local o = options.check(given, KNOWN, "evaluate")
  check.classifier(model, "evaluate")
  sampler.check(o, "evaluate")
  return evaluate.run(model, evaluate.prepare(model, rows, "evaluate"), o)
end

return setmetatable(evaluate, { __call = judge_rows })
