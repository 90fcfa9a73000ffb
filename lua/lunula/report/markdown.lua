--- Markdown as model cards have it, rendered little and safely: headings,
-- paragraphs, lists, tables, code, quotes, emphasis, and links that begin with
-- http:// or https://. All else is shown as it is typed; HTML is text.
-- @module lunula.report.markdown

local escaped = require "lunula.report.escaped"
local grid = require "lunula.report.grid"
local markup = require "lunula.report.markup"

local e = markup.element

local markdown = {}

local MOST_LINES = 4000
local LONGEST = 8000    -- bytes of a paragraph
local MOST = 200000     -- bytes of a card
local DEEPEST = 6       -- of headings, and of what is in what

-- {======== in a line ========

local inline

local function is_web(address)
  return address:find "^https?://[^%s\"'<>]+$" ~= nil
end

local function link(text, address, depth)
  address = escaped.shown(address)
  if not is_web(address) then return inline(text, depth) end
  return e.a { href = address, rel = "noreferrer", inline(text, depth) }
end

-- What may stand in a line. Each: the pattern, and what is made of its parts;
-- the first that fits counts.
local SPANS = {
  { "^`+([^`]+)`+", function(text)
    return e.code { escaped.typed(text) }
  end },
  { "^!%[([^%]]*)%]%b()", escaped.shown },
  { "^%[([^%]]+)%](%b())", function(text, address, depth)
    return link(text, address:sub(2, -2), depth)
  end },
  { "^<(https?://[^%s<>]+)>", function(address, depth)
    return link(address, address, depth)
  end },
  { "^%*%*(%S.-)%*%*", function(text, depth)
    return e.strong { inline(text, depth) }
  end },
  { "^%f[%w_]__([^_]+)__%f[^%w_]", function(text, depth)
    return e.strong { inline(text, depth) }
  end },
  { "^%*([^%*%s][^%*]*)%*", function(text, depth)
    return e.em { inline(text, depth) }
  end },
  { "^%f[%w_]_([^_%s][^_]*)_%f[^%w_]", function(text, depth)
    return e.em { inline(text, depth) }
  end },
}

-- what stands at a place, and where it ends; nil where it is but text
local function span_at(text, at, depth)
  for _, span in ipairs(SPANS) do
    local first, last, one, other = text:find(span[1], at)
    if first and other then return span[2](one, other, depth), last end
    if first then return span[2](one, depth), last end
  end
end

local function rendered(text, depth)
  local out, at, from = {}, 1, 1
  while true do
    local mark = text:find("[`!%[<*_]", from)
    if not mark then break end
    local made, last = span_at(text, mark, depth)
    if last then
      out[#out + 1] = escaped.shown(text:sub(at, mark - 1))
      out[#out + 1] = made
      at = last + 1
    end
    from = (last or mark) + 1
  end
  out[#out + 1] = escaped.shown(text:sub(at))
  return out
end

function inline(text, depth)
  depth = (depth or 0) + 1
  if depth > DEEPEST then return escaped.shown(text) end
  if #text > LONGEST then text = markup.cut(text, LONGEST / 4) end
  return rendered(text, depth)
end

-- }========

-- {======== blocks ========

-- Each takes the state and its line, and returns what it made, or nothing
-- where it is no such block. `state.at` is then behind it.

local function line_at(state)
  return state.lines[state.at]
end

local function fence(state, line)
  local mark = line:match "^%s*(```+)" or line:match "^%s*(~~~+)"
  if not mark then return nil end
  local code = {}
  state.at = state.at + 1
  while line_at(state) and not line_at(state):find("^%s*" .. mark) do
    code[#code + 1] = escaped.typed(line_at(state))
    state.at = state.at + 1
  end
  state.at = state.at + 1
  return e.pre { tabindex = 0, e.code { table.concat(code, "\n") } }
end

-- A heading is never more than one level below that before it.
local function heading(state, line)
  local marks, text = line:match "^%s*(#+)%s+(.-)%s*#*%s*$"
  if not marks or #marks > 6 then return nil end
  state.at = state.at + 1
  local levels = state.levels
  while #levels > 0 and levels[#levels] >= #marks do
    levels[#levels] = nil
  end
  levels[#levels + 1] = #marks
  local level = math.min(state.top + #levels - 1, DEEPEST)
  return e["h" .. level](inline(text))
end

local function rule(state, line)
  local bare = line:gsub("%s", "")
  if #bare < 3 or not (bare:find "^%-+$" or bare:find "^%*+$"
      or bare:find "^_+$") then
    return nil
  end
  state.at = state.at + 1
  return e.hr {}
end

local function cells_of(line)
  local cells = {}
  line = line:gsub("^%s*|", ""):gsub("|%s*$", "")
  for cell in (line .. "|"):gmatch "([^|]*)|" do
    cells[#cells + 1] = inline((cell:gsub("^%s+", ""):gsub("%s+$", "")))
  end
  return cells
end

-- "n", of numbers, for each column whose cells are to be at the right
local function classes_of(rule_line)
  local classes = {}
  for dashes in rule_line:gmatch "[:%-]+" do
    classes[#classes + 1] = dashes:find "^%-+:$" and "n" or false
  end
  return classes
end

local function row_of(line, classes)
  local cells = {}
  for i, cell in ipairs(cells_of(line)) do
    cells[i] = e.td { class = classes[i] or false, cell }
  end
  return e.tr(cells)
end

-- A head without a word is none.
local function head_of(line, classes)
  if not line:find "[^%s|]" then return false end
  local cells = {}
  for i, cell in ipairs(cells_of(line)) do
    cells[i] = markup.text(cell) == "" and e.td { "" }
      or e.th { scope = "col", class = classes[i] or false, cell }
  end
  return e.thead { e.tr(cells) }
end

local function pipes(state, line)
  local below = state.lines[state.at + 1] or ""
  if not line:find("|", 1, true) or not below:find "^%s*|?[%s:|%-]+$"
      or not below:find "%-" or not below:find("|", 1, true) then
    return nil
  end
  local rows, classes = {}, classes_of(below)
  state.at = state.at + 2
  while line_at(state) and line_at(state):find("|", 1, true) do
    rows[#rows + 1] = row_of(line_at(state), classes)
    state.at = state.at + 1
  end
  return grid.box("Table of the card",
    e.table { head_of(line, classes), e.tbody(rows) })
end

local function item_of(line)
  local indent, text = line:match "^(%s*)[-*+]%s+(.*)$"
  if indent then return #indent, text, "ul" end
  indent, text = line:match "^(%s*)%d+[.)]%s+(.*)$"
  if indent then return #indent, text, "ol" end
end

local list

-- the item's text, with the lines that go on with it and the lists inside
local function item(state, indent, text, depth)
  local words, inner = { text }, {}
  state.at = state.at + 1
  while line_at(state) do
    local line = line_at(state)
    local deeper = item_of(line)
    if deeper and deeper > indent + 1 and depth < DEEPEST then
      inner[#inner + 1] = list(state, line, depth + 1)
    elseif not deeper and line:find "^%s+%S" and #inner == 0 then
      words[#words + 1] = line:match "^%s*(.-)%s*$"
      state.at = state.at + 1
    else
      break
    end
  end
  return e.li { inline(table.concat(words, " ")), inner }
end

function list(state, line, depth)
  local indent, text, name = item_of(line)
  if not indent then return nil end
  local items, deeper, kind = {}, indent, name
  while deeper and kind == name and (deeper >= indent or #items == 0) do
    items[#items + 1] = item(state, indent, text, depth or 1)
    deeper, text, kind = item_of(line_at(state) or "")
  end
  return e[name](items)
end

local function quote(state, line)
  if not line:find "^%s*>" then return nil end
  local words = {}
  while line_at(state) and line_at(state):find "^%s*>" do
    words[#words + 1] = line_at(state):match "^%s*>+%s?(.*)$"
    state.at = state.at + 1
  end
  return e.blockquote { e.p(inline(table.concat(words, " "))) }
end

local function blank(state, line)
  if line:find "%S" then return nil end
  state.at = state.at + 1
  return false
end

local BLOCKS = { blank, fence, heading, rule, pipes, list, quote }

local function block(state)
  for _, make in ipairs(BLOCKS) do
    local made = make(state, line_at(state))
    if made ~= nil then return made end
  end
end

-- what begins no other block: a paragraph, up to the next one
local function paragraph(state)
  local words = {}
  repeat
    words[#words + 1] = line_at(state):match "^%s*(.-)%s*$"
    state.at = state.at + 1
    local line = line_at(state)
  until not line or not line:find "%S" or line:find "^%s*[#>`~|]"
    or item_of(line)
  return e.p(inline(table.concat(words, " ")))
end

-- }========

local function lines_of(text)
  local lines = {}
  for line in (escaped.hide(text) .. "\n"):gmatch "([^\n]*)\n" do
    if #lines == MOST_LINES then break end
    lines[#lines + 1] = line
  end
  return lines
end

local function without_comments(text)
  local out, at = {}, 1
  repeat
    local first = text:find("<!--", at, true)
    local _, last = text:find("-->", first or #text + 1, true)
    out[#out + 1] = text:sub(at, last and first - 1)
    at = (last or #text) + 1
  until not last
  return table.concat(out)
end

--- A text without its front matter and comments, and the front matter.
-- @string text
-- @treturn string
-- @treturn ?string
function markdown.parts(text)
  text = #text > MOST and markup.cut(text, MOST / 4) or markup.clean(text)
  local front, rest = text:match "^%-%-%-\n(.-)\n%-%-%-%s*\n(.*)$"
  return without_comments(rest or text), front
end

--- A text rendered.
-- @string text without front matter
-- @int top the level of its highest headings
-- @treturn {Node,...}
function markdown.render(text, top)
  local state = { lines = lines_of(text), at = 1, top = top, levels = {} }
  local out = {}
  while state.at <= #state.lines do
    local made = block(state)
    if made == nil then made = paragraph(state) end
    out[#out + 1] = made
  end
  return out
end

return markdown
