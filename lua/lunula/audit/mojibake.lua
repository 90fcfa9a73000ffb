--- Mojibake: UTF-8 that was read as Latin-1 or Windows-1252, once or twice.
-- The mistake is made backwards: characters become the bytes that they were
-- taken for, and what comes of it must be UTF-8 again, and of a script that
-- people write. A letter with an accent before a mark may be honest ("CAFÉ”"):
-- such a pair proves nothing by itself, but is mended where another one does.
-- The ideas are those of ftfy (Robyn Speer, https://ftfy.readthedocs.io).
-- @module lunula.audit.mojibake

local char, find, sub = string.char, string.find, string.sub

local core = require "lunula.core"

local mojibake = {}

local ROUNDS = 3  -- a text twice or three times mistaken

-- {======== bytes and characters ========

-- a code point below 65536 as UTF-8
local function utf8_of(code)
  if code < 0x80 then return char(code) end
  local last = char(0x80 + code % 64)
  local rest = math.floor(code / 64)
  if code < 0x800 then return char(0xC0 + rest) .. last end
  return char(0xE0 + math.floor(rest / 64), 0x80 + rest % 64) .. last
end

local LEADS = { { 0xF0, 4 }, { 0xE0, 3 }, { 0xC2, 2 } }

-- how many bytes a first byte announces; nil where it is none
local function length_of(byte)
  if byte > 0xF4 then return nil end
  for _, lead in ipairs(LEADS) do
    if byte >= lead[1] then return lead[2] end
  end
end

local function code_of(text)
  local first = text:byte()
  local length = length_of(first) or 1
  if length == 1 then return first end
  local code = first % 2 ^ (7 - length)
  for i = 2, length do code = code * 64 + text:byte(i) % 64 end
  return code
end

-- What Windows-1252 has at 128 to 159; where it has nothing, as where a byte
-- was read as Latin-1, there is the control character of that number.
local WINDOWS = {
  [0x80] = 0x20AC, [0x82] = 0x201A, [0x83] = 0x0192, [0x84] = 0x201E,
  [0x85] = 0x2026, [0x86] = 0x2020, [0x87] = 0x2021, [0x88] = 0x02C6,
  [0x89] = 0x2030, [0x8A] = 0x0160, [0x8B] = 0x2039, [0x8C] = 0x0152,
  [0x8E] = 0x017D, [0x91] = 0x2018, [0x92] = 0x2019, [0x93] = 0x201C,
  [0x94] = 0x201D, [0x95] = 0x2022, [0x96] = 0x2013, [0x97] = 0x2014,
  [0x98] = 0x02DC, [0x99] = 0x2122, [0x9A] = 0x0161, [0x9B] = 0x203A,
  [0x9C] = 0x0153, [0x9E] = 0x017E, [0x9F] = 0x0178,
}

local BYTE = {}        -- by character
mojibake.CHARACTER = {}  -- by byte, as Windows-1252 has it

for byte = 0x80, 0xFF do
  BYTE[utf8_of(byte)] = byte
  local windows = utf8_of(WINDOWS[byte] or byte)
  BYTE[windows] = byte
  mojibake.CHARACTER[char(byte)] = windows
end

-- }========

-- {======== what may have been meant ========

-- Code points of what people write; C1 controls are steps of what was
-- mistaken twice.
local PLAUSIBLE = {
  { 0x80, 0x17F }, { 0x218, 0x21B }, { 0x391, 0x3CE }, { 0x400, 0x45F },
  { 0x490, 0x491 }, { 0x5D0, 0x5EA }, { 0x60C, 0x6D4 }, { 0x901, 0xE5B },
  { 0x1EA0, 0x1EF9 }, { 0x200B, 0x2044 }, { 0x20A0, 0x20BF },
  { 0x2100, 0x214F }, { 0x2190, 0x21FF }, { 0x2500, 0x27BF },
  { 0x2C6, 0x2DC }, { 0x3001, 0x30FF }, { 0x4E00, 0x9FFF },
  { 0xAC00, 0xD7A3 }, { 0xFE0F, 0xFE0F }, { 0xFEFF, 0xFEFF },
  { 0xFF01, 0xFF60 }, { 0x1F300, 0x1FAFF },
}

local function is_plausible(code)
  for _, range in ipairs(PLAUSIBLE) do
    if code >= range[1] and code <= range[2] then return true end
  end
  return false
end

local function set_of(characters)
  local set = {}
  for c in characters:gmatch "[\192-\244][\128-\191]*" do
    set[BYTE[c]] = true
  end
  return set
end

-- What may stand behind a letter with an accent: marks that end or join
-- words, and, beside those, other letters and small signs.
local CLOSING = set_of "“”‘’‚„…–—™«»‹›"
local BESIDE = set_of("“”‘’‚„…–—™«»‹›•·´ªº°®©¡¿²³¹ŠšŽžŒœŸƒ"
  .. "\194\160")

local A_TILDE, A_CIRCUMFLEX = 0xC3, 0xC2

-- whether honest writing may look like the bytes of this sequence
local function is_doubtful(bytes)
  local lead = bytes[1]
  if #bytes == 2 then
    local some = (lead == A_TILDE or lead == A_CIRCUMFLEX) and CLOSING
      or BESIDE
    return some[bytes[2]] or false
  elseif #bytes == 3 then
    return BESIDE[bytes[2]] and BESIDE[bytes[3]] or false
  end
  return false
end

-- }========

-- {======== one round ========

local function bytes_from(bytes, at, length)
  local some = {}
  for i = at, at + length - 1 do
    if not bytes[i] then return nil end
    some[#some + 1] = bytes[i]
  end
  return some
end

-- The character that the bytes from `at` on are, and those bytes.
local function sequence_at(bytes, at)
  local length = bytes[at] and length_of(bytes[at])
  local some = length and bytes_from(bytes, at, length)
  if not some then return nil end
  local text = ""
  for _, byte in ipairs(some) do text = text .. char(byte) end
  if core.text_fault(text) or not is_plausible(code_of(text)) then
    return nil
  end
  return text, some
end

-- a closing quote whose last byte is no character of Windows-1252 and was lost
local LOST, QUOTE = "\226\130\172", "\226\128\157"

-- A run of characters beyond ASCII, mended. `proof` counts what no honest text
-- has; doubtful sequences are mended only `where_proved`.
local function mended_run(run, proof, where_proved)
  local characters, bytes = {}, {}
  for c in run:gmatch "[\192-\244][\128-\191]*" do
    characters[#characters + 1] = c
    bytes[#bytes + 1] = BYTE[c] or false
  end
  local out, at, before = {}, 1, false
  while at <= #characters do
    local text, some = sequence_at(bytes, at)
    if text then
      local doubtful = is_doubtful(some) and not before
      if not doubtful then proof.n = proof.n + 1 end
      local keep = doubtful and not where_proved
      out[#out + 1] = keep and characters[at] or text
      at, before = at + (keep and 1 or #some), true
    elseif bytes[at] == 0xE2 and characters[at + 1] == LOST then
      out[#out + 1], at, before = QUOTE, at + 2, true
      proof.n = proof.n + 1
    else
      out[#out + 1], at, before = characters[at], at + 1, false
    end
  end
  return table.concat(out)
end

local function round(text, where_proved)
  local proof = { n = 0 }
  local mended = text:gsub("[\194-\244][\128-\244]*", function(run)
    return mended_run(run, proof, where_proved)
  end)
  return proof.n > 0 and mended or text
end

-- }========

-- the first character of a sequence and the beginning of the next
local SUSPECT = "\195[\130-\180][\194\195\197\198\203\226]"

--- A text as it was before it was mistaken.
-- @string text valid UTF-8
-- @treturn ?string nil where nothing is wrong with it
-- @usage mojibake.mended "donâ€™t"  --> don’t
function mojibake.mended(text)
  if not find(text, SUSPECT) then return nil end
  local mended = text
  for _ = 1, ROUNDS do
    local once = round(mended, false)
    if once == mended then break end
    mended = round(mended, true)
  end
  return mended ~= text and mended or nil
end

--- The first place where two texts differ.
-- @string a
-- @string b
-- @treturn int the byte, counted from 1
function mojibake.difference(a, b)
  local at = 1
  while at <= #a and sub(a, at, at) == sub(b, at, at) do at = at + 1 end
  return at
end

return mojibake
