--- How well a model labels rows that it has not learnt from.
-- Called as a function (@{evaluate}); training prepares its validation rows
-- once and judges them often (@{prepare}, @{run}).
-- @module lunula.evaluate

local check = require "lunula.check"
local encoded = require "lunula.encoded"
local labels = require "lunula.labels"
local metrics = require "lunula.metrics"
local nn = require "lunula.nn"
local options = require "lunula.options"
local sampler = require "lunula.sampler"
local tensor = require "lunula.tensor"

local KNOWN = { batch_size = 32 }

local function nothing() end

-- The class predicted for each row, and the loss of all. Rows of like length
-- are side by side: batches of like cost.
local function judge(model, prepared, limit, on_batch)
  local tokens, classes = prepared.tokens, prepared.classes
  local predicted, total = {}, 0
  local order = sampler.by_length(tokens.lengths)
  for _, numbers in ipairs(sampler.cut_to_read(order, limit.batch_size,
      tokens.lengths)) do
    on_batch()
    local logits = limit.logits(model, (tokens:batch(numbers)))
    local gold = tensor.from(sampler.pick(classes, numbers), "int32")
    total = total + nn.cross_entropy(logits, gold):item() * #numbers
    local _, best = logits:max(2)
    for i, class in ipairs(best:totable()) do predicted[numbers[i]] = class end
  end
  return predicted, total / #classes
end

local function names_of(classes, list)
  local names = {}
  for i, class in ipairs(classes) do names[i] = list[class + 1] end
  return names
end

local evaluate = {}

--- What `evaluate.run` needs of rows, worked out once for several runs.
-- @tparam classifier model
-- @tparam {table,...} rows as from `data.read`
-- @string what who asks, for the message
-- @treturn table
-- @raise when there are no rows, or a label is not one of the model's
function evaluate.prepare(model, rows, what)
  labels.check_rows(rows, what)
  local classes = labels.classes(rows, model.labels, what)
  return {
    tokens = encoded.new(model.tokenizer, rows, model.max_length, what),
    classes = classes,
    gold = names_of(classes, model.labels),
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
    logits = prepared.logits
      or model:is_training() and model.forward or model.logits,
  }
  local predicted, loss = model:infer(judge, model, prepared, how,
    on_batch or nothing)
  local report = metrics.report(prepared.gold,
    names_of(predicted, model.labels), model.labels)
  report.loss = loss
  return report
end

--- Judges a model by labelled rows.
-- @function evaluate
-- @tparam classifier model
-- @tparam {table,...} rows as from `data.read`
-- @tparam[opt] table given
-- @int[opt=32] given.batch_size most rows of a batch
-- @treturn table as from `metrics.report`, over all labels of the model; and
--   `loss`, the mean cross entropy. `tostring` gives a table for a terminal.
-- @raise when there are no rows, or a label is not one of the model's
-- @usage print(lunula.evaluate(model, parts.test))
local function judge_rows(_, model, rows, given)
  local o = options.check(given, KNOWN, "evaluate")
  check.classifier(model, "evaluate")
  sampler.check(o, "evaluate")
  return evaluate.run(model, evaluate.prepare(model, rows, "evaluate"), o)
end

return setmetatable(evaluate, { __call = judge_rows })
