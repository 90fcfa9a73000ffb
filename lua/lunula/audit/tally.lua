--- Shares of the rows of a group: of each label, and of a model's errors.
-- A share is `{ count=, n=, share=, low=, high= }`, with Wilson's interval of
-- 95 % (`lunula.metrics.proportion`).
-- @module lunula.audit.tally

local names_of = require("lunula.options").names
local proportion = require "lunula.metrics.proportion"

local Tally = {}
Tally.__index = Tally

--- Nothing counted yet.
-- @treturn tally with the field `n`, how many rows were seen
function Tally.new()
  return setmetatable({ n = 0, labels = {}, answered = {} }, Tally)
end

--- Counts a row's label, or several.
-- @tparam table row
function Tally:see(row)
  self.n = self.n + 1
  for _, label in ipairs(row.labels or { row.label }) do
    if type(label) == "string" then
      self.labels[label] = (self.labels[label] or 0) + 1
    end
  end
end

--- Counts a model's answer.
-- @string label the row's
-- @string predicted
function Tally:answer(label, predicted)
  local row = self.answered[label] or {}
  row[predicted] = (row[predicted] or 0) + 1
  self.answered[label] = row
end

--- A share, and its interval.
-- @int count
-- @int n
-- @treturn ?table `{ count=, n=, share=, low=, high= }`; nil of nothing
function Tally.share(count, n)
  if n == 0 then return nil end
  local low, high = proportion.interval(count, n)
  return { count = count, n = n, share = count / n, low = low, high = high }
end

local share_of = Tally.share

local function label_shares(self)
  local shares = {}
  for label, count in pairs(self.labels) do
    shares[label] = share_of(count, self.n)
  end
  return shares
end

-- How many answers there are, and how many are right.
local function totals(answered)
  local n, right = 0, 0
  for label, row in pairs(answered) do
    right = right + (row[label] or 0)
    for _, count in pairs(row) do n = n + count end
  end
  return n, right
end

-- Of rows with a label the share that is answered so, and of the others; by
-- label.
local function positives(answered)
  local is_label, right, wrong = {}, {}, {}
  for label, row in pairs(answered) do
    is_label[label] = true
    for predicted in pairs(row) do is_label[predicted] = true end
  end
  for _, label in ipairs(names_of(is_label)) do
    local hit, own, false_alarm, rest = 0, 0, 0, 0
    for given, row in pairs(answered) do
      for predicted, count in pairs(row) do
        local is_hit = predicted == label and count or 0
        if given == label then
          hit, own = hit + is_hit, own + count
        else
          false_alarm, rest = false_alarm + is_hit, rest + count
        end
      end
    end
    right[label] = share_of(hit, own)
    wrong[label] = share_of(false_alarm, rest)
  end
  return right, wrong
end

--- What was counted.
-- @treturn table `n`; `labels`, the share of each; and where a model answered
--   `errors`, the share of wrong answers, `true_positives` and
--   `false_positives`, by label the share answered so of the rows that have it,
--   and that have it not (Hardt, Price & Srebro 2016, "Equality of Opportunity
--   in Supervised Learning": both are to be alike for all groups)
function Tally:shares()
  local shares = { n = self.n, labels = label_shares(self) }
  local n, right = totals(self.answered)
  if n > 0 then
    shares.errors = share_of(n - right, n)
    shares.true_positives, shares.false_positives = positives(self.answered)
  end
  return shares
end

return Tally
