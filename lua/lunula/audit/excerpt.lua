--- Pieces of texts as evidence shows them: on one line, cut between
-- characters, with no byte that a terminal or a spreadsheet would obey, and
-- without personal data: evidence is read by more people than the data.
-- @module lunula.audit.excerpt

local json = require "lunula.json"
local masked = require("lunula.audit.personal").masked

local excerpt = {}

local LENGTH = 60  -- bytes of a text that are shown
local BEYOND = 80  -- more that are looked at: a number may begin or end there

-- The place of the first byte of the character that a byte belongs to.
local function start_of(text, at)
  while at > 1 and text:find("^[\128-\191]", at) do at = at - 1 end
  return at
end

--- A text without control characters and invalid UTF-8.
-- @string text
-- @treturn string one line of valid UTF-8
-- @usage excerpt.line "two\nlines"  --> two lines
function excerpt.line(text)
  return json.utf8((text:gsub("%c+", " ")))
end

--- A text as it may be shown whole: as `line`, without personal data.
-- @string text
-- @treturn string one line of valid UTF-8
-- @usage excerpt.shown "mail jo@acme.org"  --> mail [EMAIL]
function excerpt.shown(text)
  return excerpt.line(masked(text))
end

--- The beginning of a text, in quotes.
-- @string text
-- @int[opt=60] length most bytes of it
-- @treturn string
-- @usage excerpt.of "A quiet, lovely film."  --> "A quiet, lovely film."
function excerpt.of(text, length)
  length = length or LENGTH
  local is_whole = #text <= length
  text = masked(text:sub(1, length + BEYOND))
  if is_whole then return '"' .. excerpt.line(text) .. '"' end
  local last = start_of(text, length + 1) - 1
  return '"' .. excerpt.line(text:sub(1, last)) .. '..."'
end

--- What stands about a place in a text, in quotes.
-- @string text
-- @int first byte of the place
-- @int last byte of it
-- @int[opt=15] margin bytes shown on either side
-- @treturn string
-- @usage excerpt.around("one two three", 5, 7, 3)  --> "...ne two th..."
function excerpt.around(text, first, last, margin)
  margin = margin or 15
  local before = masked(text:sub(math.max(first - margin - BEYOND, 1),
    first - 1))
  local after = masked(text:sub(last + 1, last + margin + BEYOND))
  local from = start_of(before, math.max(#before - margin + 1, 1))
  local to = math.min(margin, #after)
  if to < #after then to = start_of(after, to + 1) - 1 end
  return ('"%s%s%s"'):format(#before > margin and "..." or "",
    excerpt.line(before:sub(from) .. text:sub(first, last)
      .. after:sub(1, to)), #after > to and "..." or "")
end

return excerpt
