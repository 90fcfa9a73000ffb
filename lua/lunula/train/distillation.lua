--- Distillation: the model is to answer as a teacher did, beside being right
-- (Hinton, Vinyals & Dean 2015, "Distilling the Knowledge in a Neural Network",
-- https://arxiv.org/abs/1503.02531):
--
--   loss = (1 - w) loss of the labels + w T^2 KL(teacher_T || student_T)
--
-- A row's `scores` are the teacher's probabilities by label, as `predict` gives
-- them; a label that is not there has none. Softened by a temperature T they
-- are p^(1/T), divided by their sum: what the teacher's own logits over T would
-- give.
-- @module lunula.train.distillation

local labels = require "lunula.labels"
local objective = require "lunula.train.objective"
local tensor = require "lunula.tensor"

local distillation = {
  single_label = function(o) return o.distillation_weight > 0 end,
}

distillation.options = {
  { name = "distillation_weight", type = "number", least = 0, most = 1,
    default = 0, what = "share of a teacher's scores in the loss" },
  { name = "distillation_temperature", type = "number", above = 0,
    default = 2, what = "softens the scores (2)",
    needs = { "distillation_weight" } },
}

-- what probabilities may be away from a sum of 1
local TOLERANCE = 1e-3

local Distillation = {}
Distillation.__index = Distillation

-- {======== what the teacher says ========

local function refuse(rows, i, message, ...)
  error(labels.place(rows, i, "train") .. ": " .. message:format(...), 0)
end

local function check_names(rows, i, scores, list)
  local known = {}
  for _, label in ipairs(list) do known[label] = true end
  for label in pairs(scores) do
    if not known[label] then
      refuse(rows, i, "scores: '%s' is none of the labels: %s",
        tostring(label), labels.listed(list))
    end
  end
end

-- The probabilities of a row, by class.
local function probabilities(rows, i, list)
  local scores, all, sum = rows[i].scores, {}, 0
  if type(scores) ~= "table" then
    refuse(rows, i, "scores: expected a table from label to the teacher's "
      .. "probability, got %s", type(scores))
  end
  check_names(rows, i, scores, list)
  for c, label in ipairs(list) do
    local p = scores[label] or 0
    if type(p) ~= "number" or not (p >= 0 and p <= 1 + TOLERANCE) then
      refuse(rows, i, "scores: %s: expected a probability, got %s", label,
        tostring(p))
    end
    all[c], sum = p, sum + p
  end
  if math.abs(sum - 1) > TOLERANCE then
    refuse(rows, i, "scores: expected a sum of 1, got %g", sum)
  end
  return all
end

-- Softens probabilities in place. Returns the sum of p log p.
local function soften(p, temperature)
  local sum, negative_entropy, most = 0, 0, 0
  for c = 1, #p do most = math.max(most, p[c]) end
  for c = 1, #p do
    p[c] = (p[c] / most) ^ (1 / temperature)  -- at no temperature all are 0
    sum = sum + p[c]
  end
  for c = 1, #p do
    p[c] = p[c] / sum
    if p[c] > 0 then
      negative_entropy = negative_entropy + p[c] * math.log(p[c])
    end
  end
  return negative_entropy
end

-- of all rows: probabilities [rows, labels], and sums of p log p [rows]
local function teacher_of(rows, list, temperature)
  local all, sums = {}, {}
  for i = 1, #rows do
    all[i] = probabilities(rows, i, list)
    sums[i] = soften(all[i], temperature)
  end
  return tensor.from(all), tensor.from(sums)
end

-- }========

function Distillation:loss(item, loss, logits)
  local numbers = {}
  for i, row in ipairs(item.rows) do numbers[i] = row - 1 end
  numbers = tensor.from(numbers, "int32")
  local log_student = (logits * (1 / self.temperature)):log_softmax(-1)
  local apart = self.sums:index(1, numbers)
    - (self.scores:index(1, numbers) * log_student):sum(2)
  local w = self.weight * self.temperature ^ 2
  return loss * (1 - self.weight)
    + objective.mean(self.run, apart, item.rows) * w
end

function Distillation:identity()
  return "the teacher's scores", self.scores:checksum()
end

--- Checks the teacher's scores, where they are asked for.
-- @tparam table run
-- @raise naming a row whose scores are missing or no probabilities
function distillation.check_rows(run)
  if run.options.distillation_weight == 0 then return end
  local rows = run.plan.rows
  for i = 1, #rows do probabilities(rows, i, run.model.labels) end
end

--- Makes it, where it is asked for.
-- @tparam table run
-- @treturn ?table
-- @raise as `check_rows`
function distillation.new(run)
  local o = run.options
  if o.distillation_weight == 0 then return nil end
  local temperature = o.distillation_temperature
  local scores, sums = teacher_of(run.plan.rows, run.model.labels, temperature)
  return setmetatable({ run = run, weight = o.distillation_weight,
    temperature = temperature, scores = scores, sums = sums }, Distillation)
end

return distillation
