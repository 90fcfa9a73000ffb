--- The script that a text is written in, by Unicode's ranges.
-- @module lunula.audit.scripts

local byte, find, gmatch = string.byte, string.find, string.gmatch

local scripts = {}

-- First code point of each range and the script of its letters; false where
-- there are none that tell a script. From Unicode's Blocks.txt, coarsely: Han
-- and kana count as one, since Japanese is written in both.
local RANGES = {
  { 0x80, false }, { 0xAA, "Latin" }, { 0xAB, false }, { 0xB5, false },
  { 0xBA, "Latin" }, { 0xBB, false }, { 0xC0, "Latin" }, { 0xD7, false },
  { 0xD8, "Latin" }, { 0xF7, false }, { 0xF8, "Latin" }, { 0x2B0, false },
  { 0x370, "Greek" }, { 0x400, "Cyrillic" }, { 0x530, "Armenian" },
  { 0x590, "Hebrew" }, { 0x600, "Arabic" }, { 0x700, "Syriac" },
  { 0x750, "Arabic" }, { 0x780, "Thaana" }, { 0x7C0, false },
  { 0x8A0, "Arabic" }, { 0x900, "Devanagari" }, { 0x980, "Bengali" },
  { 0xA00, "Gurmukhi" }, { 0xA80, "Gujarati" }, { 0xB00, "Oriya" },
  { 0xB80, "Tamil" }, { 0xC00, "Telugu" }, { 0xC80, "Kannada" },
  { 0xD00, "Malayalam" }, { 0xD80, "Sinhala" }, { 0xE00, "Thai" },
  { 0xE80, "Lao" }, { 0xF00, "Tibetan" }, { 0x1000, "Myanmar" },
  { 0x10A0, "Georgian" }, { 0x1100, "Hangul" }, { 0x1200, "Ethiopic" },
  { 0x13A0, false }, { 0x1780, "Khmer" }, { 0x1800, "Mongolian" },
  { 0x18B0, false }, { 0x1E00, "Latin" }, { 0x1F00, "Greek" },
  { 0x2000, false }, { 0x2C60, "Latin" }, { 0x2C80, false },
  { 0x2E80, "Han and kana" }, { 0x3000, false }, { 0x3040, "Han and kana" },
  { 0x3130, "Hangul" }, { 0x3190, false }, { 0x3400, "Han and kana" },
  { 0x4DC0, false }, { 0x4E00, "Han and kana" }, { 0xA000, false },
  { 0xAC00, "Hangul" }, { 0xD800, false }, { 0xF900, "Han and kana" },
  { 0xFB00, "Latin" }, { 0xFB1D, "Hebrew" }, { 0xFB50, "Arabic" },
  { 0xFE00, false }, { 0xFE70, "Arabic" }, { 0xFEFF, false },
  { 0xFF21, "Latin" }, { 0xFF3B, false }, { 0xFF41, "Latin" },
  { 0xFF5B, false }, { 0xFF66, "Han and kana" }, { 0xFFA0, false },
  { 0x20000, "Han and kana" }, { 0x30000, false },
}

local function script_of_code(code)
  local low, high = 1, #RANGES
  while low < high do
    local middle = math.ceil((low + high) / 2)
    if code >= RANGES[middle][1] then low = middle else high = middle - 1 end
  end
  return RANGES[low][2]
end

local function code_of(c)
  local length = #c
  local code = byte(c) % 2 ^ (7 - length)
  for i = 2, length do code = code * 64 + byte(c, i) % 64 end
  return code
end

-- by character: there are not many in a set of texts
local known = {}

local function script_of(c)
  local script = known[c]
  if script == nil then
    script = script_of_code(code_of(c))
    known[c] = script
  end
  return script
end

-- one beyond ASCII, and where it begins
local CHARACTER = "()([\194-\244][\128-\191][\128-\191]?[\128-\191]?)"

-- Letters of each script in a text, and whether two of it stand side by side.
local function counted(text)
  local letters, is_run, last, ended = {}, {}, nil, 0
  for at, c in gmatch(text, CHARACTER) do
    local script = script_of(c)
    if script then
      letters[script] = (letters[script] or 0) + 1
      if last == script and ended == at then is_run[script] = true end
    end
    last, ended = script, at + #c
  end
  local _, ascii = text:gsub("%a", "")
  letters.Latin = ascii > 0 and (letters.Latin or 0) + ascii or letters.Latin
  is_run.Latin = true
  return letters, is_run
end

--- The script of most of a text's letters.
-- Faces made of single letters (ಠ_ಠ) are no writing.
-- @string text
-- @treturn ?string nil where there are no letters
-- @treturn number the share of its letters that are of the script
-- @usage scripts.of "Привет, John"  --> Cyrillic 0.6
function scripts.of(text)
  if not find(text, "[\194-\244]") then
    if find(text, "%a") then return "Latin", 1 end
    return nil, 0
  end
  local letters, is_run = counted(text)
  local best, most, all = nil, 0, 0
  for script, n in pairs(letters) do
    all = all + n
    if is_run[script] and (n > most or n == most and script < best) then
      best, most = script, n
    end
  end
  return best, all > 0 and most / all or 0
end

return scripts
