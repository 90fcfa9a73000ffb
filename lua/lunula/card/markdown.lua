--- Markdown out: texts that somebody else wrote, as they are read and not as
-- what Markdown or HTML would make of them; tables.
-- @module lunula.card.markdown

local json = require "lunula.json"
local trimmed = require "lunula.trimmed"

local markdown = {}

-- what means something inside a line
local SPECIAL = "[\\`*_%[%]|~$&<>]"
local ENTITIES = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;" }

local function quoted(c)
  return ENTITIES[c] or "\\" .. c
end

-- what means something where a line begins
local function quote_start(line)
  line = line:gsub("^[#+=-]", "\\%0")
  return (line:gsub("^(%d+)([.)])", "%1\\%2"))
end

local URL = "https?://[%w%-._~:/?#@!$&'()*+,;=%%]*[%w/]"

-- what no Markdown is made of; an underscore within a word means nothing
local function quote_plain(text)
  return (text:gsub("(%w)_%f[%w]", "%1\1"):gsub(SPECIAL, quoted)
    :gsub("\1", "_"))
end

-- addresses become links, all else what it looks like
local function quote(line)
  local parts, at = {}, 1
  while true do
    local first, last = line:find(URL, at)
    parts[#parts + 1] = quote_plain(line:sub(at, (first or 0) - 1))
    if not first then break end
    parts[#parts + 1] = "<" .. line:sub(first, last) .. ">"
    at = last + 1
  end
  return table.concat(parts)
end

-- valid UTF-8, without control characters but newlines
local function cleaned(text)
  return (json.utf8(text):gsub("\r\n?", "\n"):gsub("\t", " ")
    :gsub("[%z\1-\9\11-\31\127]", ""))
end

--- A text on one line, for the middle of a line or a cell of a table.
-- @string text
-- @treturn string
-- @usage markdown.line "a|b"  --> a\|b
function markdown.line(text)
  local lines = {}
  for line in cleaned(text):gmatch "[^\n]+" do
    lines[#lines + 1] = line:find "%S" and trimmed(line) or nil
  end
  return (quote(table.concat(lines, " ")))
end

--- A text of several lines: each stays one, and an empty one ends a paragraph.
-- @string text
-- @treturn string
function markdown.text(text)
  local lines = {}
  for line in (cleaned(text) .. "\n"):gmatch "([^\n]*)\n" do
    lines[#lines + 1] = quote_start(quote(trimmed(line)))
  end
  return (table.concat(lines, "\n"):gsub("\n\n\n+", "\n\n")
    :gsub("^\n+", ""):gsub("\n+$", ""))
end

local function row_of(cells)
  return "| " .. table.concat(cells, " | ") .. " |"
end

--- A table. Its first column is at the left, all others, numbers, at the right.
-- @tparam {string,...} header
-- @tparam {{string,...},...} rows cells as `line` gives them
-- @int[opt=1] texts how many columns are at the left
-- @treturn string
function markdown.table(header, rows, texts)
  local lines, rule = { row_of(header) }, {}
  for i = 1, #header do rule[i] = i <= (texts or 1) and "---" or "---:" end
  lines[2] = row_of(rule)
  for _, row in ipairs(rows) do lines[#lines + 1] = row_of(row) end
  return table.concat(lines, "\n")
end

--- A list.
-- @tparam {string,...} items Markdown
-- @treturn string
function markdown.list(items)
  local lines = {}
  for i, item in ipairs(items) do
    lines[i] = "- " .. item:gsub("\n", "\n  ")
  end
  return table.concat(lines, "\n")
end

return markdown
