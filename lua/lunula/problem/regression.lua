--- A number a text: `row.label`.
-- One output and the mean squared error, as in transformers. What is learnt is
-- in units of the rows' spread around their mean, whatever units they are in
-- (a price needs no other learning rate than stars); the head that is saved
-- says real values. So the loss of a training step is in these units: 1 is what
-- the mean would do. That of reports is as it is.
-- @module lunula.problem.regression

local cells = require "lunula.metrics.cells"
local labels = require "lunula.labels"
local metrics = require "lunula.metrics"
local names = require "lunula.problem.names"
local nn = require "lunula.nn"
local tensor = require "lunula.tensor"
local weights = require "lunula.problem.weights"

local regression = {
  name = "regression",
  activation = "none",
  scores = { "n", "mse", "mae", "pearson", "spearman", "r2", "loss" },
  shown = { { "mse", "MSE" }, { "pearson", "Pearson" } },
  metric = "mse", quality = "r2", rate = "mse", measured = {},
  bounded = { "mse", "mae", "pearson", "r2" }, sliced = { "mse", "mae" },
  fields = { "value" },
  label_type = "number",
  fixed_labels = {},
}

local NO_WORDS = { "LABEL_0" }  -- transformers' name for an output of no name

local MOST = 1e18

local function fail(message, ...)
  error(message:format(...), 0)
end

function regression.check_rows(rows, what)
  labels.check_texts(rows, what)
  for i, row in ipairs(rows) do
    local value = row.label
    if type(value) ~= "number" or value - value ~= 0 then
      fail("%s: label: expected a number, got %s", labels.place(rows, i, what),
        type(value) == "number" and tostring(value) or type(value))
    elseif math.abs(value) > MOST then
      fail("%s: label: expected a number within %g, whose square 32 bits hold, "
        .. "got %g", labels.place(rows, i, what), MOST, value)
    end
  end
end

function regression.check_learnable(rows, what)
  for _, row in ipairs(rows) do
    if row.label ~= rows[1].label then return end
  end
  fail("%s: %s the label %g; there is nothing to learn", what, #rows == 1
    and "its one row has" or ("all %d rows have"):format(#rows), rows[1].label)
end

function regression.check_seen()
end

function regression.labels()
  return {}
end

function regression.check_labels(list, what)
  if #list > 0 then fail("%s: labels: a regression has none", what) end
end

function regression.outputs()
  return 1
end

function regression.targets(rows)
  local targets = {}
  for i, row in ipairs(rows) do targets[i] = row.label end
  return targets
end

function regression.loss_options(_, _, o)
  weights.refuse(o, { "class_weights", "label_smoothing", "focal_gamma" },
    "regression")
  return {}
end

-- The mean, and how far values are from it (the root of the mean square).
local function spread_of(values)
  local sum, squares = 0, 0
  for _, value in ipairs(values) do sum = sum + value end
  local mean = sum / #values
  for _, value in ipairs(values) do squares = squares + (value - mean) ^ 2 end
  return mean, math.sqrt(squares / #values)
end

-- Whether 32 bits hold numbers, their squares, and what tells them apart.
local function is_held(mean, deviation)
  return deviation > 1e-15 and deviation < 1e15
    and math.abs(mean) < 1e5 * deviation
end

-- Raises when a head can't say such numbers.
function regression.begin(head, targets)
  local mean, deviation = spread_of(targets)
  if not is_held(mean, deviation) then
    fail("train: labels of mean %g and standard deviation %g: more than 32 "
      .. "bits hold; subtract the mean, or take another unit", mean, deviation)
  end
  head:begin { mean = mean, deviation = deviation }
end

--- The mean squared error; of a head that learns in units of a spread, in
-- these.
-- @tparam tensor logits [n, 1], real values
-- @tparam {number,...} targets [n]
-- @tparam[opt] table _
-- @tparam[opt] table head that is learning
-- @treturn tensor one number
function regression.loss(logits, targets, _, head)
  local wanted, scale = tensor.from(targets), head and head.scale
  local loss = nn.mse(logits:reshape { #targets }, wanted)
  return scale and loss / scale.deviation ^ 2 or loss
end

function regression.tensor(targets)
  return tensor.from(targets)
end

function regression.weight(targets)
  return #targets
end

function regression.read(logits)
  local values = {}
  for i, row in ipairs(logits:totable()) do values[i] = row[1] end
  return values
end

function regression.tune()
end

function regression.report(found, targets)
  return metrics.regression(targets, found)
end

function regression.cells(found, targets)
  return cells.of_numbers(found, targets)
end

function regression.part(found, targets)
  local report = metrics.regression(targets, found)
  return { mse = report.mse, mae = report.mae }
end

function regression.verdict(found, target)
  return { label = target, predicted = found, loss = (found - target) ^ 2 }
end

function regression.answer(numbers)
  return { value = numbers[1] }
end

function regression.read_config()
  return {}
end

function regression.write_config(config)
  config.problem_type = regression.name
  names.write(config, NO_WORDS)
end

return regression
