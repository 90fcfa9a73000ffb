--- Texts that are there twice: in a part, across parts, with other labels.
-- Equal is what has the same words, whatever case and punctuation; near, what
-- differs in one or two of many words or by slips of the pen (src/text/near.h
-- has the rules). Inside a part, rows of equal texts are exact duplicates where
-- no byte differs but blanks at the ends, else near ones. Of pairs of texts
-- both count. The detector keeps hashes of words in C, and of each row its
-- part, its label and a hash: never a text.
-- @module lunula.audit.duplicates

local check = require "lunula.check"
local core = require "lunula.core"
local trimmed = require "lunula.trimmed"

local duplicates = {}

local Duplicates = {}
Duplicates.__index = Duplicates

--- The check's own options. `similarity`: the least share of words, from 0.5
-- to 1, that nearly equal texts have in common.
duplicates.options = { similarity = 0.85 }

-- Of two parts that share a text the row of the first is removed.
local PARTS = { train = 0, validation = 1, test = 2 }
local PARTS_COUNT = 3

--- A detector: `see` each row, then `finish`.
-- @tparam table options with `similarity`
-- @tparam table context whose function `place` gives the place of a row by
--   its index
-- @treturn table
-- @raise when the similarity is none
-- @usage local detector = duplicates.new(duplicates.options, context)
-- for _, row in ipairs(rows) do detector:see(row) end
function duplicates.new(options, context)
  check.number(options.similarity, "audit: similarity",
    { least = 0.5, most = 1 })
  return setmetatable({
    similarity = options.similarity, near = core.near.new(),
    place = context.place, codes = {}, bytes = {}, labels = {},
    names = {},
    rows_of = {}, sizes = {},
    counts = { exact_duplicates = 0, near_duplicates = 0, exact_leaks = 0,
      near_leaks = 0, label_conflicts = 0 },
  }, Duplicates)
end

-- What a person reads of a label, or of several; nil without.
local function label_name(row)
  if row.labels then
    local list = {}
    for i, name in ipairs(row.labels) do list[i] = ('"%s"'):format(name) end
    table.sort(list)
    return #list > 0 and "labels " .. table.concat(list, ", ") or "no labels"
  elseif row.label ~= nil then
    return ('label "%s"'):format(tostring(row.label))
  end
end

-- 0 for none, or the label's number.
local function label_number(self, row)
  local name = label_name(row)
  if not name then return 0 end
  local number = self.labels[name]
  if not number then
    number = #self.names + 1
    self.names[number], self.labels[name] = name, number
  end
  return number
end

-- Of the bytes that a row's text has: a number, so that no string is kept.
local function hash_of(row)
  local pair = row.text_pair
  local text = trimmed(row.text or "")
  local hex = core.sha256(pair and text .. "\0" .. trimmed(pair) or text)
  return tonumber(hex:sub(1, 12), 16)
end

--- Takes a row.
-- @tparam table row as `lunula.data.rows` has it, with `part`: "train",
--   "validation" or "test"; its index is that of the row before and one more
-- @raise when there is no memory, or there are too many rows
function Duplicates:see(row)
  local part = PARTS[row.part]
  local id = self.near:add(row.text or "", part, row.text_pair)
  self.codes[id] = label_number(self, row) * PARTS_COUNT + part
  self.bytes[id] = hash_of(row)
end

local function part_of(self, id) return self.codes[id] % PARTS_COUNT end

local function label_of(self, id)
  return (self.codes[id] - part_of(self, id)) / PARTS_COUNT
end

-- `test.csv:17 (label "x")`
local function shown(self, id)
  local place, name = self.place(id), self.names[label_of(self, id)]
  return ("%s:%d%s"):format(place.file, place.number,
    name and " (" .. name .. ")" or "")
end

local function conflicting(self, a, b)
  local x, y = label_of(self, a), label_of(self, b)
  return x ~= 0 and y ~= 0 and x ~= y
end

-- The rows that have a text, in order.
local function rows_with(self, text)
  local list, row = {}, self.near:first(text)
  while row do
    list[#list + 1] = row
    local _, following = self.near:text(row)
    row = following
  end
  return list
end

-- The first row of each part among rows.
local function first_by_part(self, rows)
  local first = {}
  for _, id in ipairs(rows) do
    local part = part_of(self, id)
    first[part] = first[part] or id
  end
  return first
end

-- The row of another part that a row is shown beside: of the part furthest
-- from training, or for that one itself, nearest to it.
local function held_against(first, part)
  for other = PARTS_COUNT - 1, part + 1, -1 do
    if first[other] then return first[other], "remove" end
  end
  for other = 0, part - 1 do
    if first[other] then return first[other], "keep" end
  end
end

local function count(self, name)
  self.counts[name] = self.counts[name] + 1
end


-- 1. Equal texts.

local function add_leak(self, found, id, first, size)
  local other, suggestion = held_against(first, part_of(self, id))
  if not other then return end
  count(self, "exact_leaks")
  local among = size > 2 and ("; %d rows have it"):format(size) or ""
  found:add(self.place(id), "leak", "high",
    "same text as " .. shown(self, other) .. among, suggestion)
end

-- By the hash of their bytes, the first and the second of rows.
local function twins_of(self, list)
  local first, second = {}, {}
  for _, id in ipairs(list) do
    local bytes = self.bytes[id]
    if not first[bytes] then
      first[bytes] = id
    else
      second[bytes] = second[bytes] or id
    end
  end
  return first, second
end

local function add_exact(self, found, list, i, twin)
  local more = ""
  if i == 1 and #list > 2 then
    more = ("; %d rows have it"):format(#list)
  elseif i > 1 and twin > list[i] then
    more = "; same words as " .. shown(self, list[1])
  end
  count(self, "exact_duplicates")
  found:add(self.place(list[i]), "exact_duplicate", "medium",
    "same text as " .. shown(self, twin) .. more, i == 1 and "keep" or "remove")
end

local function add_same_words(self, found, list, i)
  local among = i == 1 and #list > 2
    and ("; %d rows have them"):format(#list) or ""
  count(self, "near_duplicates")
  found:add(self.place(list[i]), "near_duplicate", "medium",
    "same words as " .. shown(self, list[i == 1 and 2 or 1]) .. among,
    i == 1 and "keep" or "remove")
end

-- Rows of a kind (part, and label where labels differ): the first stays.
local function add_duplicates(self, found, list)
  if #list == 1 then return end
  local first, second = twins_of(self, list)
  for i, id in ipairs(list) do
    local bytes = self.bytes[id]
    local twin = second[bytes]
    if twin and first[bytes] ~= id then twin = first[bytes] end
    if twin then
      add_exact(self, found, list, i, twin)
    else
      add_same_words(self, found, list, i)
    end
  end
end

-- The first row with a label, and the first with another.
local function two_labels(self, rows)
  local one
  for _, id in ipairs(rows) do
    if label_of(self, id) ~= 0 then
      one = one or id
      if conflicting(self, one, id) then return one, id end
    end
  end
end

local function add_conflicts(self, found, rows, one, other)
  for _, id in ipairs(rows) do
    if label_of(self, id) ~= 0 then
      local against = conflicting(self, id, one) and one or other
      count(self, "label_conflicts")
      found:add(self.place(id), "label_conflict", "high",
        ("same text as %s, here %s"):format(shown(self, against),
          self.names[label_of(self, id)]), "look")
    end
  end
end

-- Rows of one text, those together of which all but one can go.
local function alike(self, rows, by_label)
  local lists, order = {}, {}
  for _, id in ipairs(rows) do
    local kind = by_label and self.codes[id] or part_of(self, id)
    if not lists[kind] then
      lists[kind] = {}
      order[#order + 1] = lists[kind]
    end
    table.insert(lists[kind], id)
  end
  return order
end

local function add_equal(self, found, rows)
  local first = first_by_part(self, rows)
  for _, id in ipairs(rows) do add_leak(self, found, id, first, #rows) end
  local one, other = two_labels(self, rows)
  for _, list in ipairs(alike(self, rows, other ~= nil)) do
    add_duplicates(self, found, list)
  end
  if other then add_conflicts(self, found, rows, one, other) end
end


-- 2. Texts that are nearly equal.

-- The first row of each part that has a text, remembered where there are
-- several: a text may be a million rows', and like a million others.
local function firsts_of(self, text)
  local known = self.rows_of[text]
  if known then return known end
  local only = self.near:first(text)
  local _, following = self.near:text(only)
  if not following then return { [part_of(self, only)] = only } end
  local first = first_by_part(self, rows_with(self, text))
  self.rows_of[text] = first
  return first
end

local function near_evidence(self, other, similarity, numbers, text)
  local size = self.sizes[self.near:group(text)]
  return ("nearly the same text as %s, similarity %.2f%s%s"):format(
    shown(self, other), similarity,
    numbers and "; only numbers differ" or "",
    size > 2 and ("; one of %d that hang together"):format(size) or "")
end

local function add_near_leak(self, found, id, text)
  local other_text, similarity, numbers = self.near:across(text)
  if not other_text then return end
  local other, suggestion = held_against(firsts_of(self, other_text),
    part_of(self, id))
  if not other then return end
  if numbers or conflicting(self, id, other) then suggestion = "look" end
  count(self, "near_leaks")
  found:add(self.place(id), "leak", numbers and "low" or "medium",
    near_evidence(self, other, similarity, numbers, text), suggestion)
end

local function add_near_duplicate(self, found, id, text)
  local other_text, similarity, numbers = self.near:same(text)
  local other = other_text and firsts_of(self, other_text)[part_of(self, id)]
  if not other then return end
  local suggestion = other < id and "remove" or "keep"
  if numbers or conflicting(self, id, other) then suggestion = "look" end
  count(self, "near_duplicates")
  found:add(self.place(id), "near_duplicate", "low",
    near_evidence(self, other, similarity, numbers, text), suggestion)
end

-- Of a text in several parts the leak is known, and of its other rows in a
-- part that they are duplicates.
local function add_near(self, found, text)
  local first, several = firsts_of(self, text), 0
  for _ in pairs(first) do several = several + 1 end
  for part = 0, PARTS_COUNT - 1 do
    local id = first[part]
    if id then
      if several == 1 then add_near_leak(self, found, id, text) end
      add_near_duplicate(self, found, id, text)
    end
  end
end

local function count_groups(self)
  for text = 1, self.near:count() do
    local group = self.near:group(text)
    if group ~= text then self.sizes[group] = (self.sizes[group] or 1) + 1 end
  end
end

--- Tells what there is, pair by pair.
-- Kinds: `exact_duplicate` (medium) and `near_duplicate` (low, and medium where
-- but case and punctuation differ) inside a part,
-- `leak` between parts (high when equal, else medium, low where but numbers
-- differ), `label_conflict` (high). Each side has a line; in a group each row
-- names the first. Where but numbers differ, a person has to look: invoices are
-- alike. The figure `duplicates` has the counts of lines, and how
-- many texts there are.
-- @tparam table found
-- @raise when there is no memory
function Duplicates:finish(found)
  local near = self.near
  self.counts.compared = near:search(self.similarity)
  self.counts.texts, self.counts.rows = near:count(), #self.codes
  self.counts.similarity = self.similarity
  count_groups(self)
  for text = 1, near:count() do
    local first = near:first(text)
    local _, following = near:text(first)
    if following then add_equal(self, found, rows_with(self, text)) end
    add_near(self, found, text)
  end
  found:figure("duplicates", self.counts)
end

return duplicates
