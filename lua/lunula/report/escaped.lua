--- What Markdown escapes, kept from being read as Markdown: `\*` and `&lt;`
-- become two control bytes each, which no rule of Markdown knows, and are what
-- they stand for again when a text is shown, or as they were typed in code.
-- @module lunula.report.escaped

local escaped = {}

local PUNCTUATION = [[!"#$%&'()*+,-./:;<=>?@[\]^_`{|}~]]
local ENTITIES = { { "&amp;", "&" }, { "&lt;", "<" }, { "&gt;", ">" },
  { "&quot;", '"' } }
local CONTROL = "[%z\1-\8\14-\31]"     -- of which a text has none
local CODE = "[\1-\8][\14-\21]"

local code_of, shown_of, typed_of = {}, {}, {}
local n = 0

local function add(typed, shown)
  local code = string.char(1 + math.floor(n / 8), 14 + n % 8)
  code_of[typed], shown_of[code], typed_of[code] = code, shown, typed
  n = n + 1
end

for c in PUNCTUATION:gmatch "." do add("\\" .. c, c) end
for _, entity in ipairs(ENTITIES) do add(entity[1], entity[2]) end

--- Hides what is escaped.
-- @string text
-- @treturn string
function escaped.hide(text)
  return (text:gsub(CONTROL, ""):gsub("\\%p", code_of)
    :gsub("&%a+;", code_of))
end

--- What a text says.
-- @string text as from `hide`, or a part of it
-- @treturn string
function escaped.shown(text)
  return (text:gsub(CODE, shown_of):gsub(CONTROL, ""))
end

--- What a text was before, as code has it.
-- @string text as from `hide`, or a part of it
-- @treturn string
function escaped.typed(text)
  return (text:gsub(CODE, typed_of):gsub(CONTROL, ""))
end

return escaped
