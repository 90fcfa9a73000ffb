--- Texts that were damaged on their way: bytes that are no UTF-8, mojibake,
-- characters lost, HTML entities, characters that nobody sees.
-- A row has one issue, and its suggestion mends all that can be mended. What
-- to look for is what ftfy mends (Robyn Speer,
-- https://ftfy.readthedocs.io).
-- @module lunula.audit.encoding

local core = require "lunula.core"
local excerpt = require "lunula.audit.excerpt"
local json = require "lunula.json"
local mojibake = require "lunula.audit.mojibake"

local find, text_fault = string.find, core.text_fault

local encoding = {}

local Encoding = {}
Encoding.__index = Encoding

--- A detector.
-- @tparam table _ options of the audit
-- @tparam table context
-- @treturn table with `see` and `finish`
function encoding.new(_, context)
  return setmetatable({ found = context.found }, Encoding)
end

-- {======== faults ========

-- Each takes a text and gives, where it has that fault, what was seen, how bad
-- it is, and the text without it (the same one where nothing helps).

-- The text without a character that was cut at its end. What could be a whole
-- letter of Windows-1252, such as é, is taken for one where all else is ASCII.
local function without_cut(text)
  local before, cut = text:match "^(.*)([\194-\244][\128-\191]*)$"
  if not before or json.utf8(before) ~= before then return nil end
  local is_utf8 = find(before, "[\128-\255]") or #cut > 1
    or find(cut, "[\194\195\226\240]")
  return is_utf8 and before or nil
end

local function not_utf8(text)
  if not text_fault(text) then return nil end
  local valid = json.utf8(text)
  if valid == text then return nil end
  local at = mojibake.difference(text, valid)
  local what = ("not UTF-8: byte 0x%02X at %d"):format(text:byte(at), at)
  return what, "high", without_cut(text)
    or json.utf8(text, mojibake.CHARACTER)
end

local function mistaken(text)
  local mended = mojibake.mended(text)
  if not mended then return nil end
  local at = mojibake.difference(text, mended)
  return ("mojibake: %s for %s"):format(
    excerpt.around(text, at, at + 6), excerpt.around(mended, at, at)),
    "high", mended
end

local REPLACEMENT = "\239\191\189"

-- A control character of Latin-1 where Windows-1252 has a quote or a dash.
local C1 = "\194([\128-\159])"

local function latin(text)
  local at, last, byte = find(text, C1)
  if not at then return nil end
  if find(mojibake.CHARACTER[byte], C1) then return nil end
  local mended = text:gsub(C1, mojibake.CHARACTER)
  return ("Windows-1252 read as Latin-1: U+%04X at %d for %s"):format(
    byte:byte(), at, excerpt.around(mended, at, last)), "medium", mended
end

local function lost(text)
  local at = find(text, REPLACEMENT, 1, true)
  if not at then return nil end
  return "a character was lost (U+FFFD): "
    .. excerpt.around(text, at, at + 2), "medium", text
end

local ENTITIES = {
  amp = "&", lt = "<", gt = ">", quot = '"', apos = "'", nbsp = " ",
  copy = "©", reg = "®", trade = "™", hellip = "…", mdash = "—",
  ndash = "–", lsquo = "‘", rsquo = "’", ldquo = "“", rdquo = "”",
  laquo = "«", raquo = "»", bull = "•", middot = "·", euro = "€",
  pound = "£", cent = "¢", yen = "¥", sect = "§", deg = "°",
  auml = "ä", ouml = "ö", uuml = "ü", Auml = "Ä", Ouml = "Ö",
  Uuml = "Ü", szlig = "ß", eacute = "é", egrave = "è", ecirc = "ê",
  agrave = "à", acirc = "â", aacute = "á", iacute = "í", oacute = "ó",
  uacute = "ú", ntilde = "ñ", ccedil = "ç", ocirc = "ô", icirc = "î",
  aring = "å", aelig = "æ", oslash = "ø", times = "×", frac12 = "½",
  zwnj = "", zwj = "", shy = "",
}

-- a code point as UTF-8; nil where there is none, or a control character
local function character_of(code)
  if not code or code < 32 or code > 0x10FFFF
      or code >= 0xD800 and code < 0xE000 then
    return nil
  elseif code >= 0x80 and code < 0xA0 then
    return mojibake.CHARACTER[string.char(code)]
  end
  return json.values(code < 0x10000 and ('["\\u%04x"]'):format(code)
    or ('["\\u%04x\\u%04x"]'):format(0xD800 + math.floor((code - 0x10000)
      / 1024), 0xDC00 + code % 1024), "character")[1]
end

local function entity(name)
  if name:sub(1, 1) ~= "#" then return ENTITIES[name] end
  local hex = name:match "^#[xX](%x+)$"
  return character_of(tonumber(hex or name:match "^#(%d+)$" or "",
    hex and 16 or 10))
end

local function entities(text)
  if not find(text, "&", 1, true) then return nil end
  local first, last
  local mended = text:gsub("()&(#?%w+);()", function(at, name, after)
    local character = entity(name)
    if character and not first then first, last = at, after - 1 end
    return character
  end)
  if not first then return nil end
  return "HTML entity " .. excerpt.around(text, first, last), "low",
    (mended:gsub("&(#?%w+);", entity))
end

-- }========

-- {======== what nobody sees ========

local CONTROL = "[%z\1-\8\11\12\14-\31\127]"

-- pattern and name, the worst first; all but the first are beyond ASCII
local UNSEEN = {
  { CONTROL, "control character", "medium" },
  { "\194[\128-\159]", "control character", "medium" },
  { "\226\128[\170-\174]", "character that changes the direction", "medium" },
  { "\226\129[\166-\169]", "character that changes the direction", "medium" },
  { "\239\187\191", "byte order mark", "low" },
  { "\226\128\139", "zero-width space", "low" },
  { "\226\129[\160-\164]", "invisible character", "low" },
  { "\194\173", "soft hyphen", "low" },
}

-- Joiners have work to do in Persian, in India's scripts and between emoji, and
-- marks of direction beside letters that run to the left: between letters of
-- ASCII they have none.
local BETWEEN = "([%w%p%s])\226\128[\140-\143]+([%w%p%s])"

local function unseen(text)
  local what, severity
  local mended = text
  for i = 1, find(text, "[\194-\239]") and #UNSEEN or 1 do
    local pattern, name, how = UNSEEN[i][1], UNSEEN[i][2], UNSEEN[i][3]
    local at, last = find(text, pattern)
    if at then
      what = what or ("%s (%s) at %d"):format(name,
        text:sub(at, last):gsub(".", function(byte)
          return ("%02X"):format(byte:byte())
        end), at)
      severity = severity or how
      mended = mended:gsub(pattern, "")
    end
  end
  local joined = mended:gsub(BETWEEN, "%1%2")
  if not what and joined ~= mended then
    what, severity = "invisible character at "
      .. mojibake.difference(mended, joined), "low"
  end
  if not what then return nil end
  return what, severity, joined
end

-- }========

local FAULTS = { not_utf8, mistaken, latin, lost, entities, unseen }
local WORSE = { high = 3, medium = 2, low = 1 }

-- All faults of a text, the worst severity, and the text mended.
local function faults_of(text)
  local seen, worst, mended = {}, "low", text
  for _, fault in ipairs(FAULTS) do
    local what, severity, better = fault(mended)
    if what then
      seen[#seen + 1], mended = what, better
      if WORSE[severity] > WORSE[worst] then worst = severity end
    end
  end
  return seen, worst, mended
end

-- Most texts are seen to be whole by one look at their bytes.
local function is_plain(text)
  return not find(text, "[\127-\255&]") and not text_fault(text)
end

local function check_text(self, row, text, name)
  if is_plain(text) then return end
  local seen, severity, mended = faults_of(text)
  if #seen == 0 then return end
  -- where nothing would be left the row is empty, which another check tells
  local can_be_mended = mended ~= text and name == "" and find(mended, "%S")
  self.found:add(row, "encoding", severity,
    name .. table.concat(seen, "; "),
    can_be_mended and "replace: " .. mended or "look")
end

--- Looks at a row.
-- @tparam table row
function Encoding:see(row)
  check_text(self, row, row.text, "")
  local pair = row.text_pair
  if pair then check_text(self, row, pair, "second text: ") end
end

--- All was told row by row.
function Encoding.finish() end

return encoding
