--- Numbers that name a person or an account: cards, IBANs, telephones, internet
-- addresses. Each is known by its form and, where it has one, its check digits;
-- what may as well be a price, a date, a version or an order is left alone.
-- @module lunula.audit.numbers

local find, gmatch, sub = string.find, string.gmatch, string.sub

local numbers = {}

-- {======== cards ========

-- Luhn's check (ISO/IEC 7812-1, annex B).
local function has_luhn(digits)
  local sum, double = 0, false
  for i = #digits, 1, -1 do
    local d = digits:byte(i) - 48
    if double then
      d = 2 * d
      if d > 9 then d = d - 9 end
    end
    sum, double = sum + d, not double
  end
  return sum % 10 == 0
end

-- How issuers' numbers begin, and how long they are (ISO/IEC 7812).
local ISSUERS = {
  { "^4", { [13] = true, [16] = true, [19] = true } },
  { "^5[1-5]", { [16] = true } }, { "^2[2-7]", { [16] = true } },
  { "^3[47]", { [15] = true } }, { "^6[025]", { [16] = true, [19] = true } },
  { "^35", { [16] = true } }, { "^3[068]", { [14] = true } },
}

local function is_issued(digits)
  for _, issuer in ipairs(ISSUERS) do
    if digits:find(issuer[1]) and issuer[2][#digits] then return true end
  end
  return false
end

-- Groups as they stand on cards: all digits together, or in fours, or as
-- American Express and Diners have them.
local GROUPS = { ["4-4-4-4"] = true, ["4-6-5"] = true, ["4-6-4"] = true,
  ["4-4-4-4-3"] = true }

local function is_grouped(text)
  local groups = {}
  for group in text:gmatch "%d+" do groups[#groups + 1] = #group end
  return #groups == 1 or GROUPS[table.concat(groups, "-")] or false
end

--- Whether digits, with blanks or dashes between, are a card's number.
-- @string text
-- @treturn bool
-- @usage numbers.is_card "4111 1111 1111 1111"  --> true
function numbers.is_card(text)
  local digits = text:gsub("[ -]", "")
  return #digits >= 13 and #digits <= 19 and not digits:find "%D"
    and is_issued(digits) and digits ~= sub(digits, 1, 1):rep(#digits)
    and is_grouped(text) and has_luhn(digits)
end

-- }========

-- {======== IBAN ========

-- Lengths by country (the IBAN registry, ISO 13616).
local IBAN = {
  AD = 24, AE = 23, AL = 28, AT = 20, AZ = 28, BA = 20, BE = 16, BG = 22,
  BH = 22, BR = 29, BY = 28, CH = 21, CR = 22, CY = 28, CZ = 24, DE = 22,
  DK = 18, DO = 28, EE = 20, EG = 29, ES = 24, FI = 18, FO = 18, FR = 27,
  GB = 22, GE = 22, GI = 23, GL = 18, GR = 27, GT = 28, HR = 21, HU = 28,
  IE = 22, IL = 23, IS = 26, IT = 27, JO = 30, KW = 30, KZ = 20, LB = 28,
  LI = 21, LT = 20, LU = 20, LV = 21, MC = 27, MD = 24, ME = 22, MK = 19,
  MR = 27, MT = 31, MU = 30, NL = 18, NO = 15, PK = 24, PL = 28, PS = 29,
  PT = 25, QA = 29, RO = 24, RS = 22, SA = 24, SE = 24, SI = 19, SK = 24,
  SM = 27, TN = 24, TR = 26, UA = 29, VA = 22, VG = 24, XK = 20,
}

local function is_97(iban)
  local turned = sub(iban, 5) .. sub(iban, 1, 4)
  local rest = 0
  for c in turned:gmatch "." do
    rest = (rest * (c:find "%a" and 100 or 10) + tonumber(c, 36)) % 97
  end
  return rest == 1
end

--- The IBAN that a text begins with, blanks between its groups or none.
-- @string text
-- @treturn ?string as it stands there
-- @usage numbers.iban "GB82 WEST 1234 5698 7654 32, please"
function numbers.iban(text)
  local length = IBAN[sub(text, 1, 2)]
  if not length then return nil end
  local n = 0
  for i = 1, #text do
    local is_part = find(text, "^[%u%d]", i)
    if not is_part and not find(text, "^ [%u%d]", i) then return nil end
    n = n + (is_part and 1 or 0)
    if n == length then
      local whole = sub(text, 1, i)
      local ends = not find(text, "^%w", i + 1)
      return ends and is_97((whole:gsub(" ", ""))) and whole or nil
    end
  end
end

-- }========

-- {======== internet addresses ========

-- Networks that are nobody's in particular: this machine, private ones,
-- everybody, and those of examples (RFC 1918, 5735, 5737).
local NOBODY = { "^0%.", "^10%.", "^127%.", "^169%.254%.", "^192%.168%.",
  "^172%.1[6-9]%.", "^172%.2%d%.", "^172%.3[01]%.", "^2[2-5]%d%.",
  "^192%.0%.2%.", "^198%.51%.100%.", "^203%.0%.113%." }

--- Whether four numbers with dots between are an IPv4 address: numbers of one
-- digit are those of a version or a chapter.
-- @string text
-- @treturn bool
function numbers.is_ipv4(text)
  for octet in gmatch(text, "%d+") do
    if #octet > 3 or tonumber(octet) > 255 or find(octet, "^0%d") then
      return false
    end
  end
  return not find(text, "^%d%.%d%.%d%.%d$")
end

--- Whether an IPv4 address says nothing of whose it is.
-- @string address
-- @treturn bool
-- @usage numbers.is_nobodys "192.168.1.20"  --> true
function numbers.is_nobodys(address)
  for _, network in ipairs(NOBODY) do
    if find(address, network) then return true end
  end
  return false
end

--- Whether groups of hexadecimal digits with colons between are an IPv6
-- address: eight of them, or fewer with one gap (RFC 4291). A clock, a ratio
-- and the address of a network card are none.
-- @string text
-- @treturn bool
function numbers.is_ipv6(text)
  local groups, long = 0, false
  for group in gmatch(text, "%x+") do
    groups, long = groups + 1, long or #group >= 3
    if #group > 4 then return false end
  end
  local gaps = select(2, text:gsub("::", ""))
  if find(text, ":::") or find(text, "^:[^:]") or find(text, "[^:]:$") then
    return false
  end
  return long and (groups == 8 and gaps == 0
    or gaps == 1 and groups >= 3 and groups < 8)
end

-- }========

-- {======== telephones ========

local LEAST, MOST = 7, 15  -- digits (ITU-T E.164)

-- What needs no word beside it: an international number; North America's; the
-- French five pairs; a trunk prefix, an area and the rest.
local FORMS = {
  "^%(?[2-9]%d%d%)[ .-]?%d%d%d[ .-]%d%d%d%d$",
  "^[2-9]%d%d[.-]%d%d%d[.-]%d%d%d%d$", "^[2-9]%d%d [2-9]%d%d %d%d%d%d$",
  "^1[ .-]%(?[2-9]%d%d%)?[ .-]%d%d%d[ .-]%d%d%d%d$",
  "^0[1-9][ .-]%d%d[ .-]%d%d[ .-]%d%d[ .-]%d%d$",
}

-- Digits without a gap: the mobile telephones of France, the United Kingdom and
-- Germany.
local MOBILE = { "^0[67]%d%d%d%d%d%d%d%d$", "^07[1-9]%d%d%d%d%d%d%d%d$",
  "^01[5-7]%d%d%d%d%d%d%d%d%d?$" }

-- The check digit of books' old numbers (ISO 2108).
local function is_isbn(digits)
  local sum = 0
  for i = 1, #digits do sum = sum + (11 - i) * (digits:byte(i) - 48) end
  return #digits == 10 and sum % 11 == 0
end

local function is_mobile(text)
  for _, form in ipairs(MOBILE) do
    if find(text, form) then return not is_isbn(text) end
  end
  return false
end

local function is_national(text, n)
  if n < 9 or n > 12 then return false end
  return find(text, "^%(?0[1-9]%d%d?%d?%)?[ /-]%d%d%d+$")
    or find(text, "^%(?0[1-9]%d%d?%d?%)? %d%d%d+ %d%d%d+$")
    or is_mobile(text)
end

-- Words that a number follows to which one may speak.
local CUES = { phone = true, telephone = true, tel = true, call = true,
  mobile = true, cell = true, fax = true, whatsapp = true, telefon = true,
  handy = true, dial = true, ring = true, sms = true }

-- the last words before the number
local NEAR = 14

local function has_cue(before)
  for word in gmatch(sub(before, -NEAR), "%a+") do
    if CUES[word] then return true end
  end
  return false
end

-- "+49 30 ..." or "0049 30 ..."
local function is_international(text, n)
  return n >= 8 and find(text, "^%+[1-9]")
    or n >= 10 and find(text, "^00[1-9]%d?%d?[ (/.-]")
end

--- Whether a number is a telephone's.
-- @string text digits with blanks, dashes, dots, slashes and brackets
-- @string before what stands before it, in lower case: a word there may tell
-- @treturn bool
-- @usage numbers.is_phone("(212) 555-0187", "")  --> true
function numbers.is_phone(text, before)
  local _, n = text:gsub("%d", "")
  if n < LEAST or n > MOST then return false end
  if is_international(text, n) or is_national(text, n) then return true end
  for _, form in ipairs(FORMS) do
    if find(text, form) then return true end
  end
  return not find(text, "[/.]") and has_cue(before)
end

-- }========

return numbers
