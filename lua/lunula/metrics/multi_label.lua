--- How well predicted sets of labels agree with the right ones.
-- As scikit-learn computes it with `zero_division=0`: where a ratio has
-- nothing to divide by, it is 0. So a row that has no label, and is given none,
-- counts 0 in `samples_f1`, and 1 in `subset_accuracy`.
-- @module lunula.metrics.multi_label

local known = require "lunula.labels"
local layout = require "lunula.metrics.layout"
local lists = require "lunula.metrics.lists"

local multi_label = {}

local Report = {}

local TOTALS = {
  { "macro_f1", "macro F1" }, { "micro_f1", "micro F1" },
  { "weighted_f1", "weighted F1" }, { "samples_f1", "samples F1" },
  { "subset_accuracy", "subset accuracy" },
}

local function fail(message, ...)
  error("metrics.multi_label: " .. message:format(...), 0)
end

local function ratio(a, b)
  return b == 0 and 0 or a / b
end

-- {======== labels as flags ========

local function flags_of(set, number, n, what, row)
  local flags = {}
  for i = 1, n do flags[i] = 0 end
  if type(set) ~= "table" then
    fail("%s labels %d: expected an array, got %s", what, row, type(set))
  end
  for _, label in ipairs(set) do
    if not number[label] then
      fail("%s labels %d: '%s' is not among the labels", what, row,
        tostring(label))
    end
    flags[number[label]] = 1
  end
  return flags
end

local function all_flags(sets, labels, what)
  local number, all = {}, {}
  for i, label in ipairs(labels) do number[label] = i end
  for row, set in ipairs(sets) do
    all[row] = flags_of(set, number, #labels, what, row)
  end
  return all
end

-- }========

-- {======== counting ========

-- What is right, what should be there (support) and what is said to be
-- (claimed): of a row and of each label.
local function count_row(gold, predicted, per_label)
  local right, support, claimed = 0, 0, 0
  for i, counts in ipairs(per_label) do
    local both = gold[i] * predicted[i]
    counts.right = counts.right + both
    counts.support = counts.support + gold[i]
    counts.claimed = counts.claimed + predicted[i]
    right, support, claimed = right + both, support + gold[i],
      claimed + predicted[i]
  end
  return right, support, claimed
end

local function class_scores(counts)
  return {
    precision = ratio(counts.right, counts.claimed),
    recall = ratio(counts.right, counts.support),
    f1 = ratio(2 * counts.right, counts.claimed + counts.support),
    support = counts.support,
  }
end

local function fill_classes(report, per_label)
  local weighted, support, k = 0, 0, #report.labels
  local macro = { precision = 0, recall = 0, f1 = 0 }
  for i, label in ipairs(report.labels) do
    local scores = class_scores(per_label[i])
    report.per_class[label] = scores
    for name, sum in pairs(macro) do macro[name] = sum + scores[name] end
    weighted = weighted + scores.f1 * scores.support
    support = support + scores.support
  end
  for name, sum in pairs(macro) do report["macro_" .. name] = sum / k end
  report.weighted_f1 = ratio(weighted, support)
end

-- of all pairs of a row and a label
local function fill_pairs(report, per_label)
  local all = { right = 0, support = 0, claimed = 0 }
  for _, counts in ipairs(per_label) do
    for name, sum in pairs(all) do all[name] = sum + counts[name] end
  end
  local scores = class_scores(all)
  report.micro_precision, report.micro_recall = scores.precision, scores.recall
  report.micro_f1 = scores.f1
  report.hamming_loss = (all.support + all.claimed - 2 * all.right)
    / (report.n * #per_label)
end

-- }========

--- Compares flags: whether each label is there.
-- @tparam {{int,...},...} gold of each row 0 or 1 for each label
-- @tparam {{int,...},...} predicted likewise
-- @tparam {string,...} labels
-- @treturn table as `metrics.multi_label` gives it
function multi_label.of_flags(gold, predicted, labels)
  local report = setmetatable({ n = #gold, labels = {}, per_class = {} },
    Report)
  local per_label, samples, same = {}, 0, 0
  for i, label in ipairs(labels) do
    report.labels[i] = label
    per_label[i] = { right = 0, support = 0, claimed = 0 }
  end
  for row = 1, #gold do
    local right, support, claimed = count_row(gold[row], predicted[row],
      per_label)
    samples = samples + ratio(2 * right, support + claimed)
    if right == support and right == claimed then same = same + 1 end
  end
  fill_classes(report, per_label)
  fill_pairs(report, per_label)
  report.samples_f1, report.subset_accuracy = samples / #gold, same / #gold
  return report
end

Report.__tostring = function(report) return layout.scores(report, TOTALS) end

local function check(gold, predicted, labels)
  lists.check(gold, predicted, "metrics.multi_label", "sets", "rows")
  known.check(labels, "metrics.multi_label", 1)
end

--- Compares predicted sets of labels with the right ones.
-- @function multi_label
-- @tparam {{string,...},...} gold the right labels of each row
-- @tparam {{string,...},...} predicted as many
-- @tparam {string,...} labels all that there are
-- @treturn table `n`; `macro_f1` (of the labels), `micro_f1` (of all pairs of a
--   row and a label), `macro_precision`, `macro_recall`, `micro_precision`,
--   `micro_recall`, `hamming_loss` (the share of pairs that are wrong),
--   `weighted_f1` (by support), `samples_f1` (the mean of the rows'),
--   `subset_accuracy` (rows whose set is right); `labels`;
--   `per_class`, label to `{precision=, recall=, f1=, support=}`. `tostring`
--   gives a table for a terminal
-- @raise when the arrays are empty or differ in length, or hold a label that
--   is not among those given
-- @usage local report = metrics.multi_label({ { "joy" }, {} },
--   { { "joy" }, { "anger" } }, { "anger", "joy" })
local function compare(_, gold, predicted, labels)
  check(gold, predicted, labels)
  return multi_label.of_flags(all_flags(gold, labels, "right"),
    all_flags(predicted, labels, "predicted"), labels)
end

return setmetatable(multi_label, { __call = compare })
