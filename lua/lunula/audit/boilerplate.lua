--- Texts that nobody wrote for the task: placeholders, what web pages and mail
-- programs add, and beginnings or ends that many texts share.
-- @module lunula.audit.boilerplate

local check = require "lunula.check"
local excerpt = require "lunula.audit.excerpt"
local frequent = require "lunula.audit.frequent"
local trimmed = require "lunula.trimmed"

local find, lower, sub = string.find, string.lower, string.sub

local boilerplate = {}

--- The check's own options. `repeated`: the share of rows from which on a
-- beginning or an end that they have in common is told.
boilerplate.options = { repeated = 0.01 }

local Boilerplate = {}
Boilerplate.__index = Boilerplate

-- bytes that texts must have in common, and that they have at least
local SHARED, LONG = 40, 60
local FEWEST = 10  -- rows, of however few

local function set_of(list)
  local set = {}
  for _, item in ipairs(list) do set[item] = true end
  return set
end

-- Texts that stand where one is missing, in lower case.
local PLACEHOLDERS = set_of {
  "n/a", "#n/a", "na", "n.a.", "null", "nil", "nan", "none", "undefined",
  "(null)", "<null>", "[deleted]", "[removed]", "deleted", "removed",
  "(deleted)", "test", "test test", "testing", "this is a test", "test123",
  "asdf", "asdfasdf", "asdfgh", "qwerty", "qwertz", "foo", "foo bar", "foobar",
  "todo", "tbd", "tba", "xxx", "untitled", "[no text]", "no text", "no content",
  "no description", "no review", "no title", "missing", "empty", "blank",
  "placeholder", "sample text", "lorem ipsum", "#ref!", "#value!", "#name?",
  "#div/0!", "[object object]", "unknown error", "404", "404 not found",
  "access denied", "page not found", "click here", "read more",
}

-- What stands in texts that are none, or beside one, in lower case.
local PHRASES = {
  "lorem ipsum", "click here to unsubscribe", "to unsubscribe click",
  "to unsubscribe, click", "unsubscribe from this list",
  "unsubscribe from this newsletter", "view this email in your browser",
  "view this message in your browser", "all rights reserved",
  "sent from my iphone", "sent from my ipad", "sent from my blackberry",
  "sent from my android", "sent from my samsung", "von meinem iphone gesendet",
  "please enable javascript", "your browser does not support",
  "any attachments are confidential", "we use cookies",
  "this action was performed automatically", "as an ai language model",
  "as a large language model",
}

-- A word of each phrase: most texts have none of these, and are done.
local WORDS = { "ipsum", "unsubscribe", "browser", "sent ", "rights ",
  "enable ", "attachments", "cookies", "automatically", " language model" }

--- A detector.
-- @tparam table options of the audit: `repeated`
-- @tparam table context
-- @treturn table with `see` and `finish`
function boilerplate.new(options, context)
  local share = check.number(options.repeated, "audit: repeated",
    { above = 0, most = 1 })
  return setmetatable({ found = context.found, context = context,
    share = share, rows = 0, beginnings = frequent.new(),
    ends = frequent.new() }, Boilerplate)
end

local function has_word(text)
  for i = 1, #WORDS do
    if find(text, WORDS[i], 1, true) then return true end
  end
end

local function phrase_in(text)
  if not has_word(text) then return nil end
  for _, phrase in ipairs(PHRASES) do
    local first, last = find(text, phrase, 1, true)
    if first then return first, last end
  end
end

-- "aaaa": one character again and again
local function is_one_character(text)
  return #text > 3 and find(text, "^%w")
    and text == sub(text, 1, 1):rep(#text)
end

-- What a text is, where it is short enough for a placeholder.
local function placeholder(text)
  if #text > 24 then return nil end
  local bare = trimmed(text)
  return (PLACEHOLDERS[bare] or is_one_character(bare)) and bare
end

local function see_text(self, row, text)
  local small = lower(text)
  local bare = placeholder(small)
  if bare then
    self.found:add(row, "boilerplate", "medium",
      "a placeholder: " .. excerpt.of(bare), "remove")
    return
  end
  local first, last = phrase_in(small)
  if first then
    self.found:add(row, "boilerplate", "low",
      "boilerplate " .. excerpt.around(text, first, last),
      last - first > #text / 2 and "remove" or "look")
  end
end

--- Looks at a row.
-- @tparam table row
function Boilerplate:see(row)
  local text = row.text
  see_text(self, row, text)
  self.rows = self.rows + 1
  if #text < LONG then return end
  self.beginnings:see(sub(text, 1, SHARED), text, row.index)
  self.ends:see(sub(text, -SHARED), text, row.index)
end

-- Tells of each text that has a beginning or an end in common with others;
-- returns what they have in common and how many they are.
local function tell(self, found, counted, what)
  local least = math.max(FEWEST, self.share * self.rows)
  local figures = {}
  for _, item in ipairs(counted:at_least(least)) do
    local shared = excerpt.of(item.key)
    figures[#figures + 1] = { text = excerpt.shown(item.key),
      rows = #item.indexes }
    for _, index in ipairs(item.indexes) do
      found:add(self.context.place(index), "boilerplate", "low",
        ("%d rows %s %s"):format(#item.indexes, what, shared), "look")
    end
  end
  return figures
end

--- Tells what many rows have in common.
-- @tparam issues found
function Boilerplate:finish(found)
  local beginnings = tell(self, found, self.beginnings, "begin with")
  local ends = tell(self, found, self.ends, "end with")
  if #beginnings + #ends > 0 then
    found:figure("repeated", { beginnings = beginnings, ends = ends })
  end
end

return boilerplate
