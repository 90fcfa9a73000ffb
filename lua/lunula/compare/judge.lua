--- The statistics of two systems' answers to the same texts.
-- An answer that is no label, or none, is wrong.
-- @module lunula.compare.judge

local bootstrap = require "lunula.metrics.bootstrap"
local mcnemar = require "lunula.metrics.mcnemar"
local metrics = require "lunula.metrics"

local judge = {}

-- stands for what is no label; no label has a zero byte
local NO_LABEL = "\0"

-- 1 where it is right, else 0
local function right_of(gold, outcomes)
  local right = {}
  for i, outcome in ipairs(outcomes) do
    right[i] = outcome.label == gold[i] and 1 or 0
  end
  return right
end

local function count(outcomes, field)
  local n = 0
  for _, outcome in ipairs(outcomes) do n = n + (outcome[field] and 1 or 0) end
  return n
end

local function sum(list)
  local total = 0
  for _, value in ipairs(list) do total = total + value end
  return total
end

-- The scores of each label, and the mean F1 of all labels of the model.
local function scores_of(gold, outcomes, labels)
  local said, all = {}, { NO_LABEL }
  for i, outcome in ipairs(outcomes) do said[i] = outcome.label or NO_LABEL end
  for i, label in ipairs(labels) do all[i + 1] = label end
  local per_class = metrics.report(gold, said, all).per_class
  local total = 0
  for _, label in ipairs(labels) do total = total + per_class[label].f1 end
  return per_class, total / #labels
end

-- One system alone.
local function side(gold, outcomes, labels, seed)
  local right = right_of(gold, outcomes)
  local found = bootstrap.mean(right, { seed = seed })
  local per_class, macro_f1 = scores_of(gold, outcomes, labels)
  local abstained = count(outcomes, "abstained")
  local answered = #gold - abstained
  return {
    accuracy = found.mean, low = found.low, high = found.high,
    macro_f1 = macro_f1, abstained = abstained,
    unparsed = count(outcomes, "unparsed"), answered = answered,
    answered_accuracy = answered > 0 and sum(right) / answered or nil,
  }, right, per_class
end

-- How often both, one or none of them is right.
local function table_of(a, b)
  local n = { both = 0, only_a = 0, only_b = 0, neither = 0 }
  for i = 1, #a do
    local name = a[i] == 1 and (b[i] == 1 and "both" or "only_a")
      or b[i] == 1 and "only_b" or "neither"
    n[name] = n[name] + 1
  end
  return n
end

local function larger_difference(x, y)
  local dx, dy = math.abs(x.a - x.b), math.abs(y.a - y.b)
  if dx ~= dy then return dx > dy end
  if x.n ~= y.n then return x.n > y.n end
  return x.label < y.label
end

-- The recall of each label that occurs, those first where they differ most.
local function labels_of(a, b, labels)
  local list = {}
  for _, label in ipairs(labels) do
    local n = a[label].support
    if n > 0 then
      list[#list + 1] = { label = label, n = n, a = a[label].recall,
        b = b[label].recall }
    end
  end
  table.sort(list, larger_difference)
  return list
end

--- Judges two systems.
-- @tparam {string,...} gold the right labels
-- @tparam {table,...} a an outcome for each: `{ label = }`, `{ abstained =
--   true }` or `{ unparsed = true }`
-- @tparam {table,...} b likewise
-- @tparam {string,...} labels all of the model
-- @int seed of the bootstrap
-- @treturn table `n`; `a` and `b`: `accuracy` with `low` and `high`,
--   `macro_f1`, `abstained`, `unparsed`, `answered` and `answered_accuracy`;
--   `difference`: `mean`, `low`, `high`, `p`; `mcnemar`: `only_a`, `only_b`,
--   `p`; `both`, `neither`; `per_label`, of each the recall
-- @treturn {number,...} 1 for each row where a is right
-- @treturn {number,...} likewise of b
function judge.run(gold, a, b, labels, seed)
  local side_a, right_a, class_a = side(gold, a, labels, seed)
  local side_b, right_b, class_b = side(gold, b, labels, seed)
  local n = table_of(right_a, right_b)
  return {
    n = #gold, a = side_a, b = side_b, both = n.both, neither = n.neither,
    difference = bootstrap.difference(right_a, right_b, { seed = seed }),
    mcnemar = { only_a = n.only_a, only_b = n.only_b,
      p = mcnemar(n.only_a, n.only_b) },
    per_label = labels_of(class_a, class_b, labels),
  }, right_a, right_b
end

return judge
