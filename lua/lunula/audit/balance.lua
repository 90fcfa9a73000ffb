--- How the labels are spread over the files, and which are too rare, unknown to
-- the training rows, or another spelling of the same one.
-- Of each row no more than its index is kept.
-- @module lunula.audit.balance

local check = require "lunula.check"
local counted = require "lunula.counted"
local opt = require "lunula.options"
local trimmed = require "lunula.trimmed"

local balance = {}

--- The check's own options. `folds`: in how many parts the rows of each label
-- are to be split.
balance.options = { folds = 5 }

local NUMBERS = 30      -- distinct numbers that are no labels but values
local MOST_LABELS = 0.5 -- of the rows: more are no labels but texts
local LISTED = 10       -- labels in a figure by name

local PARTS = { "train", "validation", "test" }

local Balance = {}
Balance.__index = Balance

--- A detector.
-- @tparam table options of the audit: `folds`
-- @tparam table context
-- @treturn table with `see` and `finish`
function balance.new(options, context)
  local folds = check.integer(options.folds, "audit: folds", { least = 2 })
  return setmetatable({ context = context, folds = folds, rows = 0,
    found = context.found, separator = options.label_separator or ",",
    several = false, without = 0, indexes = {}, counts = {} }, Balance)
end

local function count(self, label, row)
  local indexes = self.indexes[label]
  if not indexes then
    indexes = {}
    self.indexes[label] = indexes
    self.counts[label] = { train = 0, validation = 0, test = 0 }
  end
  indexes[#indexes + 1] = row.index
  local counts = self.counts[label]
  counts[row.part] = counts[row.part] + 1
end

-- What was wrong with the labels of a row, mended.
local function tell_fault(self, row)
  if not row.labels or not row.fault then return end
  self.found:add(row, "label_error", "medium", row.fault,
    "relabel: " .. table.concat(row.labels, self.separator))
end

--- Looks at a row.
-- @tparam table row
function Balance:see(row)
  self.rows = self.rows + 1
  tell_fault(self, row)
  if row.labels then
    self.several = true
    for _, label in ipairs(row.labels) do count(self, label, row) end
    if #row.labels == 0 then self.without = self.without + 1 end
  elseif row.label ~= nil then
    count(self, row.label, row)
  else
    self.without = self.without + 1
  end
end

-- {======== figures ========

local function total(counts)
  return counts.train + counts.validation + counts.test
end

-- How labels of these counts are spread: the entropy in bits, and as a share of
-- what it would be if all were as frequent.
local function spread(list)
  local sum, most, least, entropy = 0, 0, math.huge, 0
  for _, n in ipairs(list) do
    sum, most, least = sum + n, math.max(most, n), math.min(least, n)
  end
  for _, n in ipairs(list) do
    entropy = entropy - n / sum * math.log(n / sum) / math.log(2)
  end
  return { rows = sum, labels = #list, imbalance_ratio = most / least,
    entropy_bits = entropy,
    evenness = #list > 1 and entropy * math.log(2) / math.log(#list) or 1 }
end

local function counts_of(self, part)
  local list = {}
  for _, counts in pairs(self.counts) do
    local n = part and counts[part] or not part and total(counts)
    if n > 0 then list[#list + 1] = n end
  end
  return list
end

-- Total variation: the share of rows that would have to change their label for
-- a part to have the labels of the training rows.
local function shift(self, part)
  local here, there, sum = 0, 0, 0
  for _, counts in pairs(self.counts) do
    here, there = here + counts[part], there + counts.train
  end
  if here == 0 or there == 0 then return nil end
  for _, counts in pairs(self.counts) do
    sum = sum + math.abs(counts[part] / here - counts.train / there)
  end
  return sum / 2
end

-- by label, in all files; of very many only the ends
local function by_label(self)
  local labels = opt.names(self.counts)
  local named = {}
  for _, label in ipairs(labels) do
    named[#named + 1] = { label = label, rows = total(self.counts[label]),
      train = self.counts[label].train,
      validation = self.counts[label].validation,
      test = self.counts[label].test }
  end
  table.sort(named, function(a, b)
    if a.rows ~= b.rows then return a.rows > b.rows end
    return a.label < b.label
  end)
  return named
end

local function figures(self, found)
  local all, parts = spread(counts_of(self)), {}
  for _, part in ipairs(PARTS) do
    local list = counts_of(self, part)
    if #list > 0 then
      parts[part] = spread(list)
      parts[part].shift = part ~= "train" and shift(self, part) or nil
    end
  end
  all.parts, all.by_label = parts, by_label(self)
  all.rows_without = self.without
  found:figure("balance", all)
end

-- }========

-- {======== what the labels are ========

-- Whether all labels are numbers, and so many that they are values.
local function are_numbers(labels)
  for _, label in ipairs(labels) do
    if not tonumber(label) then return false end
  end
  return #labels > NUMBERS
end

local function tell_numbers(self, found, labels)
  local low, high, sum, n = math.huge, -math.huge, 0, 0
  for _, label in ipairs(labels) do
    local value, times = tonumber(label), #self.indexes[label]
    low, high = math.min(low, value), math.max(high, value)
    sum, n = sum + value * times, n + times
  end
  found:figure("values", { rows = n, distinct = #labels, least = low,
    greatest = high, mean = sum / n })
  found:skipped("balance", "labels are numbers, of which there are many")
end

-- }========

-- {======== issues of labels ========

local function tell_rows(self, found, label, kind, severity, evidence,
    suggestion)
  for _, index in ipairs(self.indexes[label]) do
    found:add(self.context.place(index), kind, severity, evidence, suggestion)
  end
end

-- whether a part of the rows is there at all, with labels
local function has_part(self, part)
  return #counts_of(self, part) > 0
end

-- Labels of rows that are judged and that no row teaches.
local function tell_unseen(self, found, label)
  local counts = self.counts[label]
  if counts.train > 0 or not has_part(self, "train") then return false end
  tell_rows(self, found, label, "rare_label", "high",
    ('no training row has the label "%s"'):format(label), "look")
  return true
end

-- One file is to be split, of several the training rows may be folded.
local function tell_rare(self, found, label)
  local counts = self.counts[label]
  local n = has_part(self, "train") and counts.train or total(counts)
  if n >= self.folds then return end
  tell_rows(self, found, label, "rare_label", n < 2 and "high" or "medium",
    ('label "%s" is on %s, too few for %d folds'):format(label,
      counted(n, "row"), self.folds), "look")
end

-- What a label is without case, blanks and marks.
local function bare(label)
  local number = tonumber(label)
  if number then return ("%.14g"):format(number) end
  local small = label:lower():gsub("[%s_%-]+", " ")
  return trimmed(small)
end

-- Labels that differ in nothing but that: the others are to be the one that
-- most rows have. Of several labels in a row, only that one is another.
local function tell_variants(self, found, labels)
  local best = {}
  for _, label in ipairs(labels) do
    local key = bare(label)
    local other = best[key]
    if not other or #self.indexes[label] > #self.indexes[other] then
      best[key] = label
    end
  end
  for _, label in ipairs(labels) do
    local one = best[bare(label)]
    if one ~= label then
      tell_rows(self, found, label, "label_error", "high",
        ('label "%s" looks like "%s", which %s'):format(label, one,
          counted(#self.indexes[one], "row has", "rows have")),
        self.several and "look" or "relabel: " .. one)
    end
  end
end

-- }========

--- Tells how the labels are spread.
-- @tparam issues found
function Balance:finish(found)
  local labels = opt.names(self.counts)
  if #labels == 0 then
    found:skipped("balance", "no row has a label")
  elseif are_numbers(labels) then
    tell_numbers(self, found, labels)
  elseif #labels > LISTED and #labels > MOST_LABELS * self.rows then
    found:skipped("balance", ("%d labels on %d rows: these are no labels")
      :format(#labels, self.rows))
  else
    figures(self, found)
    tell_variants(self, found, labels)
    for _, label in ipairs(labels) do
      if not tell_unseen(self, found, label) then
        tell_rare(self, found, label)
      end
    end
  end
end

return balance
