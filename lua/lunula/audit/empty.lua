--- Rows with nothing to learn from: no text, nothing but marks, no label.
-- @module lunula.audit.empty

local check = require "lunula.check"
local excerpt = require "lunula.audit.excerpt"

local find = string.find

local empty = {}

--- The check's own options.
-- `min_length`: letters, digits and characters beyond ASCII that a text has at
-- least.
empty.options = { min_length = 2 }

local Empty = {}
Empty.__index = Empty

--- A detector.
-- @tparam table options of the audit: `min_length`
-- @tparam table context
-- @treturn table with `see` and `finish`
function empty.new(options, context)
  local least = check.integer(options.min_length, "audit: min_length",
    { least = 1 })
  return setmetatable({ found = context.found, least = least }, Empty)
end

-- spaces and marks beyond ASCII, as UTF-8: no-break space, Latin-1's marks,
-- zero width and general punctuation, ideographic space and punctuation
local BLANKS = { "\194\160", "\226\128[\128-\143\168-\175]", "\226\129\160",
  "\227\128\128", "\239\187\191" }
local MARKS = { "\194[\161-\191]", "\226\128[\144-\167\176-\191]",
  "\226\129[\128-\158]", "\227\128[\129-\191]", "\239\188[\129-\143]",
  "\239\191\189" }

local function without(text, patterns)
  for _, pattern in ipairs(patterns) do text = text:gsub(pattern, "") end
  return text
end

-- What is wrong with a text that has fewer letters than there should be.
local function fault_of(text, least)
  text = without(text, BLANKS)
  if not find(text, "[^%s%c]") then return "no text", "high", "remove" end
  local letters = without(text, MARKS):gsub("[^%w\128-\255]+", "")
  if letters == "" then return "nothing but marks", "low", "look" end
  if #letters < least then return "too short", "low", "look" end
end

local function check_text(self, row, text, name)
  -- most texts have two letters side by side
  if find(text, "%w%w") and self.least <= 2 then return end
  local what, severity, suggestion = fault_of(text, self.least)
  if not what then return end
  local evidence = find(text, "%S") and what .. ": " .. excerpt.of(text)
    or what
  self.found:add(row, "empty", severity, name .. evidence,
    name == "" and suggestion or "look")
end

--- Looks at a row.
-- @tparam table row
function Empty:see(row)
  check_text(self, row, row.text, "")
  local pair = row.text_pair
  if pair then check_text(self, row, pair, "second text: ") end
  if row.fault == "empty label" then
    self.found:add(row, "empty", "high", "no label", "look")
  end
end

--- All was told row by row.
function Empty.finish() end

return empty
