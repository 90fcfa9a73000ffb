--- Texts in another script or another language than most.
-- Told only where most texts agree, and a text is long enough to tell.
-- @module lunula.audit.language

local check = require "lunula.check"
local excerpt = require "lunula.audit.excerpt"
local scripts = require "lunula.audit.scripts"
local sorted = require("lunula.options").names
local stopwords = require "lunula.audit.stopwords"

local language = {}

--- The check's own options. `languages`: codes such as "en" that texts in
-- Latin letters may be in; that of most of them when not given.
language.options = { languages = require("lunula.options").none }

local MAJORITY = 0.8   -- of the texts, for the others to be out of place
local FEWEST = 20      -- texts, for a majority
local EXCERPTS = 5000  -- kept, of texts unlike the one that leads so far,
local FIRST = 20       -- and of the first ones of each

local NAMES = { en = "English", de = "German", fr = "French", es = "Spanish",
  it = "Italian", pt = "Portuguese", nl = "Dutch", sv = "Swedish",
  da = "Danish", pl = "Polish", cs = "Czech", ro = "Romanian" }

local Language = {}
Language.__index = Language

local function wanted(given)
  if given == nil then return nil end
  check.table(given, "audit: languages")
  local known, set = stopwords.languages(), {}
  for _, code in ipairs(given) do
    set[check.choice(code, "audit: languages", known)] = true
  end
  return set
end

-- Rows by what they were taken for: a script or a language.
local function new_lists()
  return { n = 0, rows = {}, leader = nil }
end

--- A detector.
-- @tparam table options of the audit: `languages`
-- @tparam table context
-- @treturn table with `see` and `finish`
function language.new(options, context)
  return setmetatable({ context = context, excerpts = {}, n_excerpts = 0,
    scripts = new_lists(), languages = new_lists(),
    wanted = wanted(options.languages) }, Language)
end

-- Notes a row under a name; true where that is not the one that leads, or
-- cannot be known to lead yet.
local function note(lists, name, index)
  local rows = lists.rows[name]
  if not rows then
    rows = {}
    lists.rows[name] = rows
  end
  rows[#rows + 1] = index
  lists.n = lists.n + 1
  local leader = lists.rows[lists.leader]
  if not leader or #rows > #leader then lists.leader = name end
  return lists.leader ~= name or #rows <= FIRST
end

--- Looks at a row.
-- @tparam table row
function Language:see(row)
  local text, index = row.text, row.index
  local script = scripts.of(text)
  if not script then return end
  local is_other = note(self.scripts, script, index)
  local guess = script == "Latin" and stopwords.guess(text)
  if guess then
    is_other = note(self.languages, guess, index) or is_other
  end
  if is_other and self.n_excerpts < EXCERPTS then
    self.n_excerpts = self.n_excerpts + 1
    self.excerpts[index] = excerpt.of(text)
  end
end

local function counts_of(lists)
  local counts = {}
  for name, rows in pairs(lists.rows) do counts[name] = #rows end
  return counts
end

-- The name that most rows have, if that is clear.
local function majority_of(lists)
  local rows = lists.rows[lists.leader]
  local is_clear = rows and lists.n >= FEWEST
    and #rows >= MAJORITY * lists.n
  return is_clear and lists.leader or nil
end

local function add(self, found, index, severity, evidence)
  local text = self.excerpts[index]
  found:add(self.context.place(index), "language", severity,
    evidence .. (text and ": " .. text or ""), "look")
end

local function tell_scripts(self, found)
  local most = majority_of(self.scripts)
  if not most then
    found:skipped("language: scripts", "no script is that of most texts")
    return
  end
  for _, script in ipairs(sorted(self.scripts.rows)) do
    for _, index in ipairs(script == most and {}
        or self.scripts.rows[script]) do
      add(self, found, index, "high", ("script %s, most texts are in %s")
        :format(script, most))
    end
  end
end

-- The languages that texts may be in, and what to say of those that are not.
local function allowed(self)
  if self.wanted then
    return self.wanted, "which is none of the languages that were given"
  end
  local most = majority_of(self.languages)
  return most and { [most] = true },
    most and "most texts are in " .. NAMES[most]
end

local function tell_languages(self, found)
  if self.languages.n == 0 then return end
  local may, why = allowed(self)
  if not may then
    found:skipped("language", "no language is clearly that of most texts")
    return
  end
  for _, code in ipairs(sorted(self.languages.rows)) do
    for _, index in ipairs(may[code] and {} or self.languages.rows[code]) do
      add(self, found, index, "medium", ("seems to be %s, %s"):format(
        NAMES[code], why))
    end
  end
end

--- Tells what is unlike most.
-- @tparam issues found
function Language:finish(found)
  found:figure("scripts", counts_of(self.scripts))
  found:figure("languages", counts_of(self.languages))
  if self.scripts.n > 0 then tell_scripts(self, found) end
  tell_languages(self, found)
end

return language
