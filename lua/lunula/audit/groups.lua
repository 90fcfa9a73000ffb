--- Groups of people that texts name, by the words for them.
-- A group is a list of terms; at the same place in another group's list stands
-- its counterpart: what a text says of one can then be said of the other. Terms
-- are words, or several, compared without regard to case (of ASCII letters);
-- `her` is found in `(Her)` and not in `there`.
-- @module lunula.audit.groups

local check = require "lunula.check"
local contents = require "lunula.contents"
local json = require "lunula.json"
local labels = require "lunula.labels"
local names_of = require("lunula.options").names

local groups = {}

local Groups = {}
Groups.__index = Groups

--- The groups when none are named: English words for women and men. `her` is
-- both `his` and `him`: the more usual is taken.
groups.DEFAULT = {
  women = { "she", "her", "her", "hers", "herself", "woman", "women", "girl",
    "girls", "mother", "mothers", "mom", "daughter", "daughters", "sister",
    "sisters", "wife", "wives", "aunt", "grandmother", "actress", "actresses",
    "heroine", "lady", "ladies", "queen", "female", "females", "girlfriend",
    "feminine", "mrs", "waitress", "widow", "princess" },
  men = { "he", "his", "him", "his", "himself", "man", "men", "boy", "boys",
    "father", "fathers", "dad", "son", "sons", "brother", "brothers", "husband",
    "husbands", "uncle", "grandfather", "actor", "actors", "hero", "gentleman",
    "gentlemen", "king", "male", "males", "boyfriend", "masculine", "mr",
    "waiter", "widower", "prince" },
}

local WORD = "[%w\128-\255]+"
local BETWEEN = "^[ -]$"  -- the words of a term that has several

-- {======== terms ========

local function words_of(term, what)
  local words = {}
  for word in term:lower():gmatch(WORD) do words[#words + 1] = word end
  if #words == 0 then
    error(("%s: '%s' has no word"):format(what, term), 0)
  end
  return words
end

-- By its first word, each term with its words, group and place; those with the
-- most words first, then in the order in which they are given.
local function add_terms(by_word, name, terms)
  local what = "groups: " .. name
  if type(terms) ~= "table" or #terms == 0 then
    error(what .. ": expected an array of terms", 0)
  end
  for place, term in ipairs(terms) do
    local words = words_of(check.string(term, what .. ": a term"), what)
    local list = by_word[words[1]] or {}
    local at = 1
    while list[at] and #list[at].words >= #words do at = at + 1 end
    table.insert(list, at, { words = words, group = name, place = place })
    by_word[words[1]] = list
  end
end

local function read_file(path)
  local bytes, why = contents(check.path(path, "groups"))
  if not bytes then error("groups: " .. why, 0) end
  return json.values(bytes, path)
end

--- Groups by their terms.
-- @tparam ?string|table given `{ NAME = { TERM, ... }, ... }`, or the path of a
--   JSON file with such an object; `groups.DEFAULT` when not given
-- @treturn groups with `names`, sorted, and `terms` by name
-- @raise when a group is no array of terms, groups have not as many, or there
--   is none
-- @usage local people = groups.new { old = { "old" }, young = { "young" } }
function groups.new(given)
  local terms = given == nil and groups.DEFAULT
    or type(given) == "string" and read_file(given)
    or check.table(given, "groups")
  check.table(terms, "groups")
  local self = setmetatable({ terms = terms, by_word = {} }, Groups)
  for name in pairs(terms) do check.string(name, "groups: a group") end
  self.names = names_of(terms)
  if #self.names == 0 then error("groups: none given", 0) end
  for _, name in ipairs(self.names) do
    add_terms(self.by_word, name, terms[name])
    local first = terms[self.names[1]]
    if #terms[name] ~= #first then
      error(("groups: '%s' has %d terms and '%s' %d: expected counterparts at "
        .. "the same places"):format(self.names[1], #first, name,
        #terms[name]), 0)
    end
  end
  return self
end

-- }========

-- {======== finding ========

-- Where the words of a text begin and end, and each in lower case.
local function split(text)
  local words, at = {}, 1
  while true do
    local first, last = text:find(WORD, at)
    if not first then return words end
    words[#words + 1] = { first = first, last = last,
      word = text:sub(first, last):lower() }
    at = last + 1
  end
end

local function is_at(text, words, at, term)
  for k = 2, #term.words do
    local word, before = words[at + k - 1], words[at + k - 2]
    if not word or word.word ~= term.words[k]
        or not text:sub(before.last + 1, word.first - 1):find(BETWEEN) then
      return false
    end
  end
  return true
end

-- The term at a word: the one with the most words, of a group that is asked
-- for.
local function term_at(self, text, words, at, asked)
  for _, term in ipairs(self.by_word[words[at].word] or {}) do
    if (not asked or asked[term.group]) and is_at(text, words, at, term) then
      return term
    end
  end
end

-- The terms of a text, in their order: `{ first, last, group, place }`.
local function find(self, text, asked)
  local words, list, at = split(text), {}, 1
  while words[at] do
    local term = term_at(self, text, words, at, asked)
    if term then
      list[#list + 1] = { first = words[at].first,
        last = words[at + #term.words - 1].last, group = term.group,
        place = term.place }
      at = at + #term.words
    else
      at = at + 1
    end
  end
  return list
end

--- Which groups a text names.
-- @string text
-- @treturn table true by the group's name
-- @usage people:named("Her film.").women  --> true
function Groups:named(text)
  local named = {}
  for word in text:lower():gmatch(WORD) do
    if self.by_word[word] then
      for _, term in ipairs(find(self, text)) do named[term.group] = true end
      break
    end
  end
  return named
end

-- }========

-- {======== swapping ========

-- a term in the case of another
local function cased(term, like)
  if #like > 1 and like == like:upper() and like ~= like:lower() then
    return term:upper()
  elseif like:find "^%u" then
    return term:sub(1, 1):upper() .. term:sub(2)
  end
  return term
end

--- A text with the terms of two groups exchanged, in the case of the old ones.
-- @string text
-- @string a a group's name
-- @string b another's
-- @treturn ?string nil where the text has no term of either
-- @usage people:swapped("He told her.", "men", "women")  --> She told his.
function Groups:swapped(text, a, b)
  local other, pieces, at = { [a] = b, [b] = a }, {}, 1
  for _, term in ipairs(find(self, text, other)) do
    pieces[#pieces + 1] = text:sub(at, term.first - 1)
    pieces[#pieces + 1] = cased(self.terms[other[term.group]][term.place],
      text:sub(term.first, term.last))
    at = term.last + 1
  end
  if #pieces == 0 then return nil end
  return table.concat(pieces) .. text:sub(at)
end

-- }========

--- One line: the groups and how many terms each has.
function Groups:__tostring()
  return ("groups (%s; %d terms each)"):format(labels.listed(self.names),
    #self.terms[self.names[1]])
end

return groups
