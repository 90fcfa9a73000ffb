--- HTML that can't be broken by what is put into it.
-- An element is made by its name: `e.p { class = "note", "text", e.b { "x" }
-- }`.
-- Named fields are attributes, the others its content in order: strings and
-- numbers, which are always escaped, elements, arrays of all these, and false,
-- which is nothing. There is no way to put a string in that is not escaped but
-- `markup.style`, which is for our own style sheet.
-- @module lunula.report.markup

local json = require "lunula.json"
local number = require "lunula.report.number"

local markup = {}

local REPLACEMENT = "\239\191\189"                     -- U+FFFD
local ELLIPSIS = "\226\128\166"
local ISOLATE, END = "\226\129\168", "\226\129\169"    -- U+2068, U+2069
local CHARACTER = "[%z\1-\127\192-\255][\128-\191]*"
local VOID = { meta = true, hr = true, br = true }

local ESCAPES = {
  ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;",
  ["'"] = "&#39;",
}

-- {======== texts ========

-- What may not stand in HTML: control characters, and code points that are no
-- characters.
local REFUSED = {
  "[%z\1-\8\11\12\14-\31\127]", "\194[\128-\159]", "\239\183[\144-\175]",
  "\239\191[\190\191]",
  "[\240-\244][\143\159\175\191]\191[\190\191]",
}

--- A text as valid UTF-8 that HTML may hold: what it may not is U+FFFD, and
-- lines end in a newline.
-- @string text
-- @treturn string
function markup.clean(text)
  text = json.utf8(text):gsub("\r\n?", "\n")
  for _, pattern in ipairs(REFUSED) do
    text = text:gsub(pattern, REPLACEMENT)
  end
  return text
end

--- The beginning of a text, an ellipsis in the place of what was cut.
-- @string text of any length
-- @int most characters
-- @treturn string as `clean` makes it
-- @treturn bool whether it was cut
function markup.cut(text, most)
  local begin = markup.clean(text:sub(1, 4 * most + 4))
  local at, n = 1, 0
  while n < most and at <= #begin do
    local _, last = begin:find(CHARACTER, at)
    at, n = last + 1, n + 1
  end
  if at > #begin and #text <= 4 * most + 4 then return begin, false end
  return begin:sub(1, at - 1) .. ELLIPSIS, true
end

-- columns that a character takes, roughly: East Asian ones and emoji two
local function width_of(character)
  local first = character:byte()
  return first >= 227 and first ~= 239 and 2 or 1
end

--- A text for a label in a picture: short, on one line, its direction kept to
-- itself.
-- @string text
-- @int columns
-- @treturn string
function markup.label(text, columns)
  local bare = markup.cut(text, columns + 1):gsub("[\n\t]", " ")
    :gsub("\226\128[\170-\174]", ""):gsub("\226\129[\166-\169]", "")
  local kept, width = {}, 0
  for character in bare:gmatch(CHARACTER) do
    width = width + width_of(character)
    if width > columns then
      kept[#kept] = ELLIPSIS
      break
    end
    kept[#kept + 1] = character
  end
  return ISOLATE .. table.concat(kept) .. END
end

-- }========

-- {======== elements ========

local Node = {}
Node.__index = Node

local function node(html)
  return setmetatable({ html = html }, Node)
end

local function is_node(value)
  return getmetatable(value) == Node
end

local function escaped(text)
  return (markup.clean(text):gsub("[&<>\"']", ESCAPES))
end

local function put(out, content)
  if is_node(content) then
    out[#out + 1] = content.html
  elseif type(content) == "table" then
    for _, each in ipairs(content) do put(out, each) end
  elseif content then
    out[#out + 1] = escaped(tostring(content))
  end
end

-- the attributes of an element, sorted
local function attributes_of(fields)
  local names, out = {}, {}
  for name in pairs(fields) do
    if type(name) == "string" then names[#names + 1] = name end
  end
  table.sort(names)
  for i, name in ipairs(names) do
    local value = fields[name]
    out[i] = value == true and " " .. name
      or value and (' %s="%s"'):format(name, escaped(tostring(value))) or ""
  end
  return table.concat(out)
end

local function element(name, fields)
  local out = { "<" .. name .. attributes_of(fields) .. ">" }
  if not VOID[name] then
    put(out, fields)
    out[#out + 1] = "</" .. name .. ">"
  end
  return node(table.concat(out))
end

--- Makes elements: `markup.element.p { "text" }`.
-- @table element
markup.element = setmetatable({}, {
  __index = function(_, name)
    return function(fields) return element(name, fields) end
  end,
})

--- A style element.
-- @string css of ours: it is not escaped
-- @treturn Node
function markup.style(css)
  return node("<style>" .. css .. "</style>")
end

--- A text of the data, whose direction is kept to itself.
-- @param text anything; what is neither text nor number is "not known"
-- @int most characters that are shown
-- @treturn Node
function markup.data(text, most)
  if type(text) == "number" then text = number.plain(text) end
  if type(text) ~= "string" then text = number.UNKNOWN end
  return markup.element.bdi { (markup.cut(text, most)) }
end

--- Nodes put together as text.
-- @param content as an element's
-- @treturn string HTML
function markup.text(content)
  local out = {}
  put(out, content)
  return table.concat(out)
end

-- }========

return markup
