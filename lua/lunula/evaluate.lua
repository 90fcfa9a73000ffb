--- How well a model labels rows that it has not learnt from.
-- Called as a function (@{evaluate}); training prepares its validation rows
-- once and judges them often (@{prepare}, @{run}). What costs more than the
-- scores is found only for who asks: see `lunula.evaluate.detail`.
-- @module lunula.evaluate

local check = require "lunula.check"
local detail = require "lunula.evaluate.detail"
local encoded = require "lunula.encoded"
local honesty = require "lunula.metrics.honesty"
local options = require "lunula.options"
local sampler = require "lunula.sampler"

local KNOWN = { batch_size = 32 }
for name, default in pairs(detail.KNOWN) do KNOWN[name] = default end

local function nothing() end

-- Calls a function with the numbers of each batch's rows, their logits [rows,
-- outputs] and targets. Rows of like length are side by side: batches of like
-- cost.
local function each_batch(model, prepared, how, f)
  local tokens, logits = prepared.tokens, prepared.logits or how.logits
  local order = sampler.by_length(tokens.lengths)
  for _, numbers in ipairs(sampler.cut_to_read(order, how.batch_size,
      tokens.lengths)) do
    how.on_batch()
    f(numbers, logits(model, (tokens:batch(numbers))),
      sampler.pick(prepared.targets, numbers))
  end
end

-- What the model's problem reads for each row, the loss of all, and their
-- honesty, where it has competing labels. Probabilities of each row go to
-- `how.kept`, where it is there.
local function judge(model, prepared, how)
  local problem, found, total = model.problem, {}, 0
  local honest = problem.is_single and honesty.new()
  local wanted = honest or how.kept and problem.probabilities
  each_batch(model, prepared, how, function(numbers, logits, targets)
    total = total + problem.loss(logits, targets):item() * #numbers
    for i, read in ipairs(problem.read(logits)) do found[numbers[i]] = read end
    if not wanted then return end
    local rows = problem.probabilities(logits):totable()
    if honest then honest:see(numbers, rows, targets) end
    if how.kept then detail.keep(how.kept, numbers, rows) end
  end)
  return found, total / #prepared.targets, honest
end

local evaluate = {}

--- What `evaluate.run` needs of rows, worked out once for several runs.
-- @tparam classifier model
-- @tparam {table,...} rows as from `data.read`
-- @string what who asks, for the message
-- @treturn table; its `tokens` may be exchanged for what gives other batches,
--   for a function `logits` of the model and such a batch. With a true `tune`
--   in it, a run first settles what rows may decide of answers: the thresholds
--   of a multi-label model
-- @raise when there are no rows, or a label is not one of the model's
function evaluate.prepare(model, rows, what)
  model.problem.check_rows(rows, what)
  return {
    tokens = encoded.new(model.tokenizer, rows, model.max_length, what),
    targets = model.problem.targets(rows, model.labels, what),
  }
end

local function how_to(model, limit, on_batch, kept)
  return {
    kept = kept,
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
-- @func f of the rows' numbers, their logits, a tensor [rows, outputs], and
--   their targets (of single labels the right classes, from 0)
function evaluate.each_batch(model, prepared, limit, f)
  model:infer(each_batch, model, prepared, how_to(model, limit), f)
end

--- Judges a model by rows that were prepared.
-- @tparam classifier model
-- @tparam table prepared by `evaluate.prepare`
-- @tparam[opt] table limit `batch_size`, the most rows of a batch
-- @func[opt] on_batch called before each batch; what it raises ends the run
-- @tparam[opt] table kept where the probabilities of each row are to go
-- @treturn table as `evaluate` returns without any details
-- @treturn table what the model's problem read of each row
function evaluate.run(model, prepared, limit, on_batch, kept)
  local found, loss, honest = model:infer(judge, model, prepared,
    how_to(model, limit, on_batch, kept))
  if prepared.tune then model.problem.tune(model, found, prepared.targets) end
  local report = model.problem.report(found, prepared.targets, model)
  report.loss = loss
  for name, figure in pairs(honest and honest:figures() or {}) do
    report[name] = figure
  end
  return report, found
end

--- Judges a model by labelled rows.
-- @function evaluate
-- @tparam classifier model
-- @tparam {table,...} rows as from `data.read`
-- @tparam[opt] table given
-- @int[opt=32] given.batch_size most rows of a batch
-- @bool[opt=false] given.intervals of 95 %, by the bootstrap (the percentile
--   method): `intervals`, score to `{low=, high=}`
-- @int[opt=2000] given.resamples of the bootstrap
-- @int[opt=0] given.seed of the bootstrap
-- @bool[opt=false] given.reliability how honest probabilities are:
--   `reliability`, a list of `{low=, high=, confidence=, accuracy=, n=}` for
--   each of 15 bins that has rows, of which low < confidence <= high (of
--   several labels, for each pair of a row and a label); `ece`, `brier`
-- @bool[opt=false] given.ranking `roc_auc` and `average_precision`, each the
--   mean over labels against all others, where they are defined
-- @tparam[opt] {string,...} given.slices columns, of which rows have values in
--   `kept` (see `data.read`): `slices`, a list of `{column=, value=, n=,
--   metric=, low=, high=}`, the worst first, and scores of these rows: accuracy
--   and macro_f1 (of the labels that occur); of ordinal labels mae, too; of
--   several labels subset_accuracy and micro_f1; of a regression mse and mae.
--   low and high are the interval of 95 % of the score that metric names:
--   Wilson's of a share, the bootstrap's of mse
-- @int[opt=20] given.slice_least values with fewer rows are taken together as
--   "(other)", with `values`, how many
-- @int[opt=0] given.worst so many answers that are most wrong: `worst`, a list
--   of `{row=, text=, label=, predicted=, score=, loss=}`: wrong ones, the
--   most confident first, or of several labels and numbers those of highest
--   loss. row counts from 1; loss is -log p of the right label (of several
--   labels the mean, of numbers the squared error)
-- @bool[opt=false] given.explain `words` of each of these: a list of `{text=,
--   weight=}`, how much each word speaks for what was said (see
--   `lunula.explain`)
-- @treturn table as from `metrics.report`, over all labels of the model; and
--   `loss`, the mean cross entropy (the negative log likelihood); `ece`, the
--   expected calibration error, and `brier`, the Brier score, of its
--   probabilities; `selective`, a list of `{coverage=, accuracy=, threshold=}`:
--   how often it is right where only its surest answers are given (see
--   `metrics.selective`). Of a multi-label model as from `metrics.multi_label`,
--   of a regression `metrics.regression`, of ordinal labels `metrics.ordinal`,
--   and the mean loss. `tostring` gives a table for a terminal.
-- @raise when there are no rows, or a label is not one of the model's; when a
--   regression is asked for what only probabilities tell; when a row has no
--   such column
-- @usage print(lunula.evaluate(model, parts.test))
-- local found = lunula.evaluate(model, rows, { intervals = true, worst = 10 })
local function judge_rows(_, model, rows, given)
  local o = options.check(given, KNOWN, "evaluate")
  check.classifier(model, "evaluate")
  sampler.check(o, "evaluate")
  local prepared = evaluate.prepare(model, rows, "evaluate")
  local kept = detail.check(o, model, rows) and {} or nil
  local report, found = evaluate.run(model, prepared, o, nil, kept)
  if kept then
    detail.add(report, { model = model, rows = rows, found = found,
      targets = prepared.targets, probabilities = kept }, o)
  end
  return report
end

return setmetatable(evaluate, { __call = judge_rows })
