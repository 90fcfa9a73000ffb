--- Groups of people, in the data and in a model's answers.
--
-- In the data: how often texts that name a group (`lunula.audit.groups`), or
-- whose `group` column does, have each label (Dixon et al. 2018, "Measuring and
-- Mitigating Unintended Bias in Text Classification"). With a classifier: how
-- often it is wrong of each group, and of the labels (Hardt et al. 2016), in
-- the parts held out where there are such. And counterfactuals: a text in which
-- the terms of two groups change places is asked again, and the answer must not
-- change (Garg et al. 2019, "Counterfactual Fairness in Text Classification
-- through Robustness"). Where it may, as in a text about just that difference,
-- a person decides: the suggestion is `look`.
-- @module lunula.audit.fairness

local check = require "lunula.check"
local core = require "lunula.core"
local excerpt = require "lunula.audit.excerpt"
local groups = require "lunula.audit.groups"
local options = require "lunula.options"
local sampler = require "lunula.sampler"
local tally = require "lunula.audit.tally"
local vectors = require "lunula.audit.vectors"

local fairness = {}

--- Options of an audit: the groups, as for `groups.new`; how many texts a
-- classifier is asked at most, of all rows and of each two groups; `seed`.
fairness.options = { groups = options.none, most_asked = 20000, seed = 0 }

local Fairness = {}
Fairness.__index = Fairness

local TOGETHER = 512     -- texts that are asked at once
local MOST_VALUES = 50   -- of the group column: more are no groups of people
local HIGH, MEDIUM = 0.5, 0.2  -- of probability, that an answer changes by
local SHOWN = 200        -- bytes of a text

--- A detector.
-- @tparam table given options of the audit
-- @tparam table context
-- @treturn table with `see` and `finish`
function fairness.new(given, context)
  check.integer(given.most_asked, "audit: most_asked", { least = 0 })
  return setmetatable({ options = given, context = context,
    groups = groups.new(given.groups), all = tally.new(), of_term = {},
    of_value = {}, values = 0 }, Fairness)
end

-- {======== counting ========

local function tally_of(set, name)
  set[name] = set[name] or tally.new()
  return set[name]
end

-- The tallies that a row belongs to.
local function tallies(self, row)
  local list = { self.all }
  for name in pairs(self.groups:named(vectors.text_of(row))) do
    list[#list + 1] = tally_of(self.of_term, name)
  end
  if row.group ~= nil and self.of_value then
    list[#list + 1] = tally_of(self.of_value, row.group)
  end
  return list
end

--- Counts a row's label for the groups that it belongs to.
-- @tparam table row
function Fairness:see(row)
  local value = row.group
  if value ~= nil and self.of_value and not self.of_value[value] then
    self.values = self.values + 1
    if self.values > MOST_VALUES then self.of_value = nil end
  end
  for _, each in ipairs(tallies(self, row)) do each:see(row) end
end

-- }========

-- {======== asking ========

-- Some of a list, drawn by the seed, in their order.
local function some_of(list, most, seed)
  if #list <= most then return list end
  local numbers, some = {}, {}
  for i, number in ipairs(sampler.order(#list, { seed = seed })) do
    numbers[i] = i <= most and number or nil
  end
  table.sort(numbers)
  for i, number in ipairs(numbers) do some[i] = list[number] end
  return some
end

-- The answers to rows first .. last.
local function ask_some(model, rows, first, last)
  local texts, text_pairs = {}, nil
  for i = first, last do
    texts[#texts + 1] = rows[i].text
    if rows[i].text_pair then
      text_pairs = text_pairs or {}
      text_pairs[#texts] = rows[i].text_pair
    end
  end
  return model:predict(texts, { text_pairs = text_pairs })
end

local function ask(model, rows)
  local answers = {}
  for first = 1, #rows, TOGETHER do
    if core.system.interrupted() then error("interrupted", 0) end
    for _, answer in ipairs(ask_some(model, rows, first,
        math.min(first + TOGETHER - 1, #rows))) do
      answers[#answers + 1] = answer
    end
  end
  return answers
end

-- }========

-- {======== errors ========

-- The rows of parts that nothing is learnt from, else all; of the labels that
-- the model knows.
local function to_judge(self)
  local known, held_out, all = {}, {}, {}
  for _, label in ipairs(self.context.model.labels) do known[label] = true end
  for _, row in ipairs(self.context.rows) do
    if known[row.label] then
      all[#all + 1] = row
      if row.part ~= "train" then held_out[#held_out + 1] = row end
    end
  end
  local is_held_out = #held_out > 0
  return some_of(is_held_out and held_out or all, self.options.most_asked,
    self.options.seed), is_held_out
end

local function judge(self, figures)
  local rows, is_held_out = to_judge(self)
  local answers = ask(self.context.model, rows)
  for i, row in ipairs(rows) do
    for _, each in ipairs(tallies(self, row)) do
      each:answer(row.label, answers[i].label)
    end
  end
  figures.judged = { rows = #rows, held_out = is_held_out }
end

-- }========

-- {======== counterfactuals ========

-- The row with the terms of two groups exchanged; nothing where it has none.
local function swapped(self, row, a, b)
  local text = self.groups:swapped(row.text, a, b)
  local second = row.text_pair and self.groups:swapped(row.text_pair, a, b)
  if not text and not second then return nil end
  return { text = text or row.text, text_pair = second or row.text_pair,
    row = row }
end

-- How much less probable the answer is than it was.
local function change_of(before, after)
  return before.score - after.scores[before.label]
end

local function add(found, row, other, before, after, names)
  local change = change_of(before, after)
  found:add(row, "counterfactual", change >= HIGH and "high"
    or change >= MEDIUM and "medium" or "low",
    ('"%s" (%.3f) becomes "%s" (%.3f) with %s exchanged: %s'):format(
      before.label, before.score, after.label, after.score, names,
      excerpt.of(vectors.text_of(other), SHOWN)), "look")
end

local function compare(self, found, a, b)
  local changed, rows = {}, {}
  for _, row in ipairs(self.context.rows) do
    changed[#changed + 1] = swapped(self, row, a, b)
  end
  local with_terms = #changed
  changed = some_of(changed, self.options.most_asked, self.options.seed)
  for i, other in ipairs(changed) do rows[i] = other.row end
  local before = ask(self.context.model, rows)
  local after = ask(self.context.model, changed)
  local flips, sum = 0, 0
  for i, row in ipairs(rows) do
    sum = sum + math.abs(change_of(before[i], after[i]))
    if before[i].label ~= after[i].label then
      flips = flips + 1
      add(found, row, changed[i], before[i], after[i], a .. " and " .. b)
    end
  end
  return { groups = { a, b }, rows = with_terms, asked = #rows,
    flips = tally.share(flips, #rows),
    mean_change = #rows > 0 and sum / #rows or nil }
end

local function compare_all(self, found)
  local list, names = {}, self.groups.names
  for i = 1, #names do
    for j = i + 1, #names do
      list[#list + 1] = compare(self, found, names[i], names[j])
    end
  end
  return list
end

-- }========

local function shares_of(set, by)
  local list = {}
  for _, name in ipairs(options.names(set)) do
    local shares = set[name]:shares()
    shares.group, shares.by = name, by
    list[#list + 1] = shares
  end
  return list
end

-- Why a model can't be asked; nil where it can.
local function hindrance(context)
  if not context.model or not context.rows then
    return "a model's errors and counterfactuals need a classifier"
  elseif not context.model.problem.is_single then
    return "a model's errors and counterfactuals: not for "
      .. context.model.problem.name
  end
end

--- Tells the shares of all groups, and asks the classifier.
-- @tparam issues found
function Fairness:finish(found)
  local figures, why = {}, hindrance(self.context)
  if why then
    found:skipped("counterfactual", why)
  else
    judge(self, figures)
    figures.counterfactuals = compare_all(self, found)
  end
  figures.all = self.all:shares()
  figures.groups = shares_of(self.of_term, "terms")
  for _, shares in ipairs(shares_of(self.of_value or {}, "column")) do
    table.insert(figures.groups, shares)
  end
  if not self.of_value then
    found:skipped("groups of the column", ("more than %d values"):format(
      MOST_VALUES))
  end
  found:figure("fairness", figures)
end

return fairness
