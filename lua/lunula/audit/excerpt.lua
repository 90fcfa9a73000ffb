--- Pieces of texts as evidence shows them: on one line, cut between
-- characters, with no byte that a terminal or a spreadsheet would obey.
-- @module lunula.audit.excerpt

local json = require "lunula.json"

local excerpt = {}

local LENGTH = 60  -- bytes of a text that are shown

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

--- The beginning of a text, in quotes.
-- @string text
-- @int[opt=60] length most bytes of it
-- @treturn string
-- @usage excerpt.of "A quiet, lovely film."  --> "A quiet, lovely film."
function excerpt.of(text, length)
  length = length or LENGTH
  if #text <= length then return '"' .. excerpt.line(text) .. '"' end
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
  local from = start_of(text, math.max(first - margin, 1))
  local to = math.min(last + margin, #text)
  if to < #text then to = start_of(text, to + 1) - 1 end
  return ('"%s%s%s"'):format(from > 1 and "..." or "",
    excerpt.line(text:sub(from, to)), to < #text and "..." or "")
end

return excerpt
