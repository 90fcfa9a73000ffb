--- Makes a classifier's probabilities honest: of texts answered with 0.9, nine
-- of ten are to be right.
--
-- Temperature scaling (Guo et al. 2017, "On calibration of modern neural
-- networks"): all logits are divided by one number, the temperature, which
-- makes the negative log likelihood of validation rows least. No label
-- changes, only how sure the model says it is: less above 1, more below.
--
-- The temperature is folded into the head, whose weight and bias are divided
-- by it. So whatever answers with the model is calibrated, in any precision:
-- `predict` and `submit`, other Lua states, the folder that `save` writes (in
-- transformers too), and what `lunula.quantize` makes of it. The classifier's
-- field `temperature`, `classifier_temperature` in config.json, records by what
-- its head was divided in all. Training that goes on takes the head as it is;
-- what it learns was not calibrated, so `model:train()` sets the record to 1.
-- @module lunula.calibrate

local check = require "lunula.check"
local evaluate = require "lunula.evaluate"
local grad = require "lunula.grad"
local honesty = require "lunula.metrics.honesty"
local options = require "lunula.options"
local sampler = require "lunula.sampler"
local selective = require "lunula.metrics.selective"

local calibrate = {}

local KNOWN = { batch_size = 32 }

local function fail(message, ...)
  error(message:format(...), 0)
end

-- {======== one row at an inverse temperature ========

local function largest(row)
  local most = -math.huge
  for _, z in ipairs(row) do most = math.max(most, z) end
  return most
end

-- The probabilities of a row of logits times beta, the largest logit, and
-- log sum exp(beta (z - largest)).
local function softmax(row, beta)
  local most, total, p = largest(row), 0, {}
  for i, z in ipairs(row) do
    p[i] = math.exp(beta * (z - most))
    total = total + p[i]
  end
  for i = 1, #p do p[i] = p[i] / total end
  return p, most, math.log(total)
end

-- The derivatives of the row's loss, log sum exp(beta z) - beta z[right], by
-- beta: E[z] - z[right], and the variance of z.
local function slopes(row, right, beta)
  local p, most = softmax(row, beta)
  local mean, square = 0, 0
  for i, z in ipairs(row) do
    local off = z - most
    mean, square = mean + p[i] * off, square + p[i] * off * off
  end
  return mean + most - row[right + 1], square - mean * mean
end

-- }========

-- {======== the best temperature ========

-- Sums of `f(row, class)` over all rows; a batch at a time is a table.
local function sum(batches, f)
  local a, b = 0, 0
  for _, batch in ipairs(batches) do
    for i, row in ipairs(batch.logits:totable()) do
      local more, also = f(row, batch.classes[i])
      a, b = a + more, b + (also or 0)
    end
  end
  return a, b
end

local function slopes_at(batches, beta)
  return sum(batches, function(row, class)
    return slopes(row, class, beta)
  end)
end

-- How far the right logits are below the largest, in all.
local function below_largest(row, class)
  return largest(row) - row[class + 1]
end

-- The loss is convex in beta: it has a least value at a beta above 0 if and
-- only if it falls at 0 and rises in the end. Returns why it has not.
local function hindrance(batches)
  local rises = sum(batches, below_largest)
  local falls = slopes_at(batches, 0)
  if rises - rises ~= 0 or falls - falls ~= 0 then
    return "a logit is not finite"
  elseif rises <= 0 then
    return "all rows are answered right: nothing says how sure is too sure"
  elseif falls >= 0 then
    return "the model is no better than chance on these rows"
  end
end

local TRIES = 100      -- bisection alone needs fewer
local CLOSE = 1e-10    -- the last step, of beta: the next would be its square

-- Bounds between which the slope is 0.
local function bracket(batches)
  local low, high = 1, 1
  while slopes_at(batches, high) < 0 do low, high = high, 2 * high end
  while slopes_at(batches, low) > 0 do low, high = low / 2, low end
  return low, high
end

-- Where the slope, which rises with beta, is 0: Newton's steps, and the middle
-- where one leaves the bounds.
local function root(batches)
  local low, high = bracket(batches)
  local beta = (low + high) / 2
  for _ = 1, TRIES do
    local slope, curvature = slopes_at(batches, beta)
    if slope > 0 then high = beta else low = beta end
    local to = beta - slope / curvature
    if not (to > low and to < high) then to = (low + high) / 2 end
    if math.abs(to - beta) <= CLOSE * beta then return to end
    beta = to
  end
  return beta
end

local function best_temperature(batches)
  local why = hindrance(batches)
  if why then return nil, why end
  return 1 / root(batches)
end

--- The temperature that makes the negative log likelihood of logits least.
-- @tparam tensor logits [n, C]
-- @tparam {int,...} classes the right ones, from 0
-- @treturn[1] number above 0, exact to 1e-9 of itself
-- @treturn[2] nil when none is best: all rows are right, or as good as chance
-- @treturn[2] string saying which
-- @raise when sizes don't fit
-- @usage local temperature = assert(calibrate.temperature(logits, classes))
function calibrate.temperature(logits, classes)
  local what = "calibrate.temperature"
  local shape = check.tensor(logits, what .. ": logits"):shape()
  check.table(classes, what .. ": classes")
  if #shape ~= 2 or shape[1] ~= #classes or shape[1] == 0 then
    fail("%s: expected logits [n, C] and n classes", what)
  end
  for i, class in ipairs(classes) do
    check.integer(class, ("%s: class of row %d"):format(what, i),
      { least = 0, most = shape[2] - 1 })
  end
  return best_temperature { { logits = logits, classes = classes } }
end

-- }========

-- {======== models ========

local function check_problem(model, what)
  check.classifier(model, what)
  if not model.problem.is_single then
    fail("%s: expected a model of single_label_classification, got one of %s",
      what, model.problem.name)
  end
end

local function check_model(model, what)
  check_problem(model, what)
  local saved = rawget(model, "saved")
  if saved and saved.quantized then
    fail("%s: %s: a quantized model can't be calibrated; calibrate the one "
      .. "that it was made of, and quantize that", what, saved.dir)
  elseif model:is_training() then
    fail("%s: the model learns; model:train(false) ends that", what)
  end
end

-- All logits divided by the temperature, by way of the head.
local function fold(model, temperature)
  for _, p in ipairs(model.head:parameters()) do
    p.tensor:copy(grad.no_grad(p.tensor.div, p.tensor, temperature))
  end
  model.temperature = model.temperature * temperature
end

-- What a model says of all rows: a list of batches.
local function answered(model, rows, o, what)
  local batches = {}
  evaluate.each_batch(model, evaluate.prepare(model, rows, what), o,
    function(numbers, logits, classes)
      batches[#batches + 1] = { numbers = numbers, logits = logits,
        classes = classes }
    end)
  return batches
end

-- ECE, Brier score and loss of logits divided by a temperature.
local function figures(batches, temperature)
  local honest, loss, n = honesty.new(), 0, 0
  for _, batch in ipairs(batches) do
    local probabilities = {}
    for i, row in ipairs(batch.logits:totable()) do
      local p, most, log_sum = softmax(row, 1 / temperature)
      local below = most - row[batch.classes[i] + 1]
      probabilities[i], loss = p, loss + log_sum + below / temperature
    end
    honest:see(batch.numbers, probabilities, batch.classes)
    n = n + #batch.numbers
  end
  local found = honest:figures()
  return { ece = found.ece, brier = found.brier, loss = loss / n }
end

--- Fits a temperature on labelled rows and applies it to the model's head.
-- The rows should be ones that the model has not learnt from; those that chose
-- its best epoch will do. Fitted in the model's precision.
-- @function calibrate
-- @tparam classifier model changed in place; save it to keep it
-- @tparam {table,...} rows as from `data.read`
-- @tparam[opt] table given
-- @int[opt=32] given.batch_size most rows of a batch
-- @treturn[1] table `temperature`; `before` and `after`, `{ece=, brier=,
--   loss=}` of these rows
-- @treturn[2] nil when no temperature is best; the model stays as it was
-- @treturn[2] string why: all rows are answered right, or as good as by chance
-- @raise when the model is quantized, learns, is another state's, or not for
--   single labels; when there are no rows, or a label is not one of the model's
-- @usage local done = assert(lunula.calibrate(model, parts.validation))
-- print(done.temperature, done.before.ece, done.after.ece)
local function apply(_, model, rows, given)
  local o = options.check(given, KNOWN, "calibrate")
  check_model(model, "calibrate")
  sampler.check(o, "calibrate")
  local batches = answered(model, rows, o, "calibrate")
  local temperature, why = best_temperature(batches)
  if not temperature then return nil, why end
  fold(model, temperature)
  return { temperature = temperature, before = figures(batches, 1),
    after = figures(batches, temperature) }
end

-- }========

-- {======== thresholds ========

-- The point with the most rows that is as accurate as wanted, and the next
-- lower threshold.
local function widest(points, accuracy)
  local found, next_lower
  for i, point in ipairs(points) do
    if point.right >= accuracy * point.covered - 1e-9 then
      found, next_lower = point, points[i + 1]
    end
  end
  return found, next_lower
end

local function gathered(batches)
  local honest = honesty.new()
  for _, batch in ipairs(batches) do
    honest:see(batch.numbers, batch.logits:softmax(2):totable(),
      batch.classes)
  end
  return honest
end

--- Finds the least score to answer with, for answers to be as often right as
-- wanted, on labelled rows: the one that answers most of them.
-- It is midway between the score of the last row that is answered and that of
-- the first that is not, 0 where all are. On other texts accuracy will be
-- about what it is here, the nearer the more rows there are.
-- @tparam classifier model also a quantized one
-- @tparam {table,...} rows that the model has not learnt from
-- @tparam table given
-- @number given.accuracy wanted of what is answered, above 0, at most 1
-- @int[opt=32] given.batch_size most rows of a batch
-- @treturn[1] table `threshold`, for `predict`'s `min_score`; `coverage`, the
--   share of the rows that are answered; `accuracy` of these
-- @treturn[2] nil when no threshold is enough
-- @treturn[2] string saying so
-- @raise when there are no rows, or a label is not one of the model's
-- @usage local found = assert(lunula.calibrate.threshold(model,
--   parts.validation, { accuracy = 0.95 }))
-- local answer = model:predict(text, { min_score = found.threshold })
function calibrate.threshold(model, rows, given)
  local what = "calibrate.threshold"
  local o = options.check(given, { accuracy = options.none, batch_size = 32 },
    what)
  check_problem(model, what)
  check.number(o.accuracy, what .. ": accuracy", { above = 0, most = 1 })
  sampler.check(o, what)
  local honest = gathered(answered(model, rows, o, what))
  if honest.is_nan then return nil, "a logit is not finite" end
  local point, lower = widest(
    selective.curve(honest.confidence, honest.correct), o.accuracy)
  if not point then
    return nil, ("no threshold makes %g of the answers right"):format(
      o.accuracy)
  end
  return {
    threshold = lower and (point.threshold + lower.threshold) / 2 or 0,
    coverage = point.covered / #honest.correct,
    accuracy = point.right / point.covered,
  }
end

-- }========

return setmetatable(calibrate, { __call = apply })
