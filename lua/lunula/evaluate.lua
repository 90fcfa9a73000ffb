--- How well a model labels rows that it has not learnt from.
-- Called as a function (@{evaluate}); training prepares its validation rows
-- once and judges them often (@{prepare}, @{run}).
-- @module lunula.evaluate

local check = require "lunula.check"
local encoded = require "lunula.encoded"
local honesty = require "lunula.metrics.honesty"
local labels = require "lunula.labels"
local metrics = require "lunula.metrics"
local nn = require "lunula.nn"
local options = require "lunula.options"
local sampler = require "lunula.sampler"
local tensor = require "lunula.tensor"

local KNOWN = { batch_size = 32 }

local function nothing() end

-- Calls a function with the numbers of each batch's rows, their logits [rows,
-- labels] and right classes. Rows of like length are side by side: batches of
-- like cost.
local function each_batch(model, prepared, how, f)
  local tokens, logits = prepared.tokens, prepared.logits or how.logits
  local order = sampler.by_length(tokens.lengths)
  for _, numbers in ipairs(sampler.cut_to_read(order, how.batch_size,
      tokens.lengths)) do
    how.on_batch()
    f(numbers, logits(model, (tokens:batch(numbers))),
      sampler.pick(prepared.classes, numbers))
  end
end

-- The class predicted for each row, the loss of all, and their honesty.
local function judge(model, prepared, how)
  local predicted, total, honest = {}, 0, honesty.new()
  each_batch(model, prepared, how, function(numbers, logits, classes)
    local gold = tensor.from(classes, "int32")
    total = total + nn.cross_entropy(logits, gold):item() * #numbers
    local _, best = logits:max(2)
    for i, class in ipairs(best:totable()) do predicted[numbers[i]] = class end
    honest:see(numbers, logits:softmax(2):totable(), classes)
  end)
  return predicted, total / #prepared.classes, honest
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
-- @treturn table; its `tokens` may be exchanged for what gives other batches,
--   for a function `logits` of the model and such a batch
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

local function how_to(model, limit, on_batch)
  return {
    batch_size = limit and limit.batch_size or KNOWN.batch_size,
    -- while it learns: no copy of the weights is worth to be made
    logits = model:is_training() and model.forward or model.logits,
    on_batch = on_batch or nothing,
  }
end

--- Calls a function with what a model says of each batch of prepared rows.
-- @tparam classifier model
-- @tparam table prepared by `evaluate.prepare`
-- @tparam ?table limit `batch_size`, the most rows of a batch
-- @func f of the rows' numbers, their logits, a tensor [rows, labels], and
--   their right classes, from 0
function evaluate.each_batch(model, prepared, limit, f)
  model:infer(each_batch, model, prepared, how_to(model, limit), f)
end

--- Judges a model by rows that were prepared.
-- @tparam classifier model
-- @tparam table prepared by `evaluate.prepare`
-- @tparam[opt] table limit `batch_size`, the most rows of a batch
-- @func[opt] on_batch called before each batch; what it raises ends the run
-- @treturn table as `evaluate` returns
function evaluate.run(model, prepared, limit, on_batch)
  local predicted, loss, honest = model:infer(judge, model, prepared,
    how_to(model, limit, on_batch))
  local report = metrics.report(prepared.gold,
    names_of(predicted, model.labels), model.labels)
  report.loss = loss
  for name, figure in pairs(honest:figures()) do report[name] = figure end
  return report
end

--- Judges a model by labelled rows.
-- @function evaluate
-- @tparam classifier model
-- @tparam {table,...} rows as from `data.read`
-- @tparam[opt] table given
-- @int[opt=32] given.batch_size most rows of a batch
-- @treturn table as from `metrics.report`, over all labels of the model; and
--   `loss`, the mean cross entropy (the negative log likelihood); `ece`, the
--   expected calibration error, and `brier`, the Brier score, of its
--   probabilities; `selective`, a list of `{coverage=, accuracy=, threshold=}`:
--   how often it is right where only its surest answers are given (see
--   `metrics.selective`). `tostring` gives a table for a terminal.
-- @raise when there are no rows, or a label is not one of the model's
-- @usage print(lunula.evaluate(model, parts.test))
local function judge_rows(_, model, rows, given)
  local o = options.check(given, KNOWN, "evaluate")
  check.classifier(model, "evaluate")
  sampler.check(o, "evaluate")
  return evaluate.run(model, evaluate.prepare(model, rows, "evaluate"), o)
end

return setmetatable(evaluate, { __call = judge_rows })
