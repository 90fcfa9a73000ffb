--- Personal data: e-mail addresses, telephones, cards, IBANs, internet
-- addresses, names after titles.
-- What is found is masked in the evidence, which is read by more people than
-- the data; the suggestion is the text with [EMAIL] and the like in its place.
-- @module lunula.audit.personal

local numbers = require "lunula.audit.numbers"

local find, gmatch, lower, sub = string.find, string.gmatch, string.lower,
  string.sub

local personal = {}

local Personal = {}
Personal.__index = Personal

--- A detector.
-- @tparam table _ options of the audit
-- @tparam table context
-- @treturn table with `see` and `finish`
function personal.new(_, context)
  return setmetatable({ found = context.found }, Personal)
end

-- {======== masks ========

-- Digits and letters but the first and the last two become stars.
local function masked(text)
  local _, all = text:gsub("%w", "")
  local at = 0
  return (text:gsub("%w", function(c)
    at = at + 1
    return at > 2 and at <= all - 2 and "*" or c
  end))
end

local LETTER = "([%z\1-\127\194-\244][\128-\191]*)"  -- one, in UTF-8

local function masked_email(text)
  local user, host, top = text:match("^" .. LETTER .. "[^@]*@" .. LETTER
    .. ".*(%.%a+)$")
  return user .. "***@" .. host .. "***" .. top
end

-- }========

-- {======== finders ========

-- Each adds spans `{ first, last, tag, severity, shown }` to a list.

local function add(spans, first, last, tag, severity, shown)
  spans[#spans + 1] = { first = first, last = last, tag = tag,
    severity = severity, shown = shown }
end

local USER, HOST = 64, 255  -- bytes at most (RFC 5321)

-- As many bytes, with ASCII for letters of Latin-1, Latin Extended-A and
-- Extended Additional, which names and addresses (RFC 6531) have, too.
local function plain(text)
  if not find(text, "[\195-\197\225]") then return text end
  return (text:gsub("\195[\128-\158]", "Xx"):gsub("[\195-\197][\128-\191]",
    "xx"):gsub("\225[\184-\187][\128-\191]", "xxx"))
end

-- The parts are looked for about each @, no further than they may be long: of a
-- text that is one word without end each byte would else be a beginning.
local function emails(text, spans)
  local at, free = find(text, "@", 1, true), 1
  while at do
    local user = plain(sub(text, math.max(at - USER, free), at - 1))
      :match "[%w._%%+'-]+$"
    user = user and user:match "[^'].*$"
    local host = user and plain(sub(text, at + 1, at + HOST))
      :match "^[%w-]+%.[%w.-]+"
    local address = host and (user .. "@" .. host):match "^(.-)[.-]*$"
    if address and find(address, "%.%a%a+$") then
      local first = at - #user
      free = first + #address
      add(spans, first, free - 1, "[EMAIL]", "medium",
        "e-mail address " .. masked_email(sub(text, first, free - 1)))
    end
    at = find(text, "@", at + 1, true)
  end
end

local function ibans(text, spans)
  if not find(text, "%a%a%d%d") then return end
  for first, country in gmatch(text, "()%f[%w](%a%a)%d%d[%w ]") do
    local iban = sub(text, first, first + 45)
    -- words may follow what is in small letters
    if find(country, "%l") then iban = iban:match("^%w+"):upper() end
    iban = numbers.iban(iban)
    if iban then
      add(spans, first, first + #iban - 1, "[IBAN]", "high",
        "IBAN " .. masked(iban))
    end
  end
end

-- Words of a number that is no card's and no telephone's, however it looks.
local OTHERS = { order = true, invoice = true, tracking = true, ticket = true,
  serial = true, isbn = true, issn = true, imei = true, version = true,
  reference = true, ref = true, article = true, item = true, id = true }
-- "order no. 17"
local BETWEEN = { number = true, no = true, nr = true, code = true }

local function is_another(before)
  local word = before:match "(%a+)[%s:.#-]*$"
  if BETWEEN[word] then word = before:match "(%a+)%A+%a+[%s:.#-]*$" end
  return OTHERS[word] or find(before, "#%s*$") ~= nil
end

-- not part of a longer word or number, an amount or a fraction
local function stands_alone(text, first, last)
  local before, after = sub(text, first - 1, first - 1), sub(text, last + 1,
    last + 1)
  return not find(before, "[%w_.,$#+/=&?-]")
    and not find(before, "[\128-\255]")
    and not find(after, "[%w_%%=]") and not find(text, "^[.,:]%d", last + 1)
end

-- True where that is no number to look into any further.
local function card_or_phone(text, first, number, spans)
  local last = first + #number - 1
  if not stands_alone(text, first, last) then return true end
  local before = lower(sub(text, math.max(first - 20, 1), first - 1))
  if is_another(before) then return true end
  if numbers.is_card(number) then
    add(spans, first, last, "[CARD]", "high", "card number " .. masked(number))
  elseif numbers.is_phone(number, before) then
    add(spans, first, last, "[PHONE]", "medium",
      "telephone number " .. masked(number))
  else
    return false
  end
  return true
end

-- A card's or telephone's number with another after it: "4111 ... 1111 12/25".
local function leading(number)
  repeat
    number = number:match "^(.*%d) [ /-]*%(?%d[%d./-]*$"
    if not number then return nil end
    local is_phone = find(number, "[.(-]") and not find(number, "%d %d")
      and numbers.is_phone(number, "")
  until is_phone or numbers.is_card(number)
  return number
end

local MOST = 60  -- bytes that are looked at as two numbers

local function cards_and_phones(text, spans)
  for first, number in gmatch(text, "()([+(]?%d[%d ()./-]+%d)") do
    -- "(212-555-0187)": the bracket is the sentence's
    if find(number, "^%([^)]*$") then
      first, number = first + 1, sub(number, 2)
    end
    local _, digits = number:gsub("%d", "")
    local is_done = digits < 7
      or digits <= 19 and card_or_phone(text, first, number, spans)
    local one = not is_done and #number <= MOST and leading(number)
    if one then
      card_or_phone(text, first, one, spans)
      local other = number:match("^[ /-]*(.*)$", #one + 1)
      card_or_phone(text, first + #number - #other, other, spans)
    end
  end
end

local function is_version(text, first)
  local before = lower(sub(text, math.max(first - 12, 1), first - 1))
  return find(before, "[%w.]$") or find(before, "version[%s:]*$")
    or find(before, "release[%s:]*$") or find(before, "build[%s:]*$")
end

local function addresses(text, spans)
  for first, ip, after in gmatch(text,
      "()(%f[%d]%d+%.%d+%.%d+%.%d+)()") do
    if numbers.is_ipv4(ip) and not is_version(text, first)
        and not find(text, "^%.?[%w]", after) then
      add(spans, first, after - 1, "[IP]",
        numbers.is_nobodys(ip) and "low" or "medium",
        "IP address " .. ip:match "^%d+" .. ".*.*.*")
    end
  end
  if not find(text, "%x:%x*:") then return end
  for first, ip, after in gmatch(text, "()(%f[%x:][%x:]+)()") do
    if numbers.is_ipv6(ip) and not find(text, "^%w", after)
        and not find(sub(text, first - 1, first - 1), "%w") then
      add(spans, first, after - 1, "[IP]", "medium",
        "IP address " .. ip:match "^%x*" .. ":****")
    end
  end
end

local TITLES = {}
for title in ([[Mr Mrs Ms Miss Mister Dr Doctor Prof Professor Herr Frau
    Mme Mlle Madame Monsieur Mademoiselle Señor Señora Signor Signora Signore
    Dhr Mevrouw Mevr Sir Reverend Rev Sra]]):gmatch "%S+" do
  TITLES[title] = true
end

-- what follows a title and is no person's name
local NOBODY = { Pepper = true, Who = true, Right = true, President = true,
  Universe = true, America = true, World = true, Speaker = true,
  Chairman = true, Secretary = true, Doctor = true, Martens = true, Or = true }

-- The name's first and last byte, where a title ends before `at`.
local function name_at(text, at)
  local first = text:match("^%. ?()", at) or text:match("^ ()", at)
  if not first then return nil end
  -- "Dr. J. R. Smith"
  local from = text:match("^%u%. ?%u%. ?()", first)
    or text:match("^%u%. ?()", first) or first
  local _, last = find(text, "^%u[%a'-]+", from)
  if not last then return nil end
  if find(text, "^'s", last - 1) then last = last - 2 end
  local name = sub(text, from, last)
  if NOBODY[name] or TITLES[name] then return nil end
  local _, more = find(text, "^ %u%l[%a-]*", last + 1)
  return first, more or last
end

local function names(text, spans)
  local letters = plain(text)
  for title, at in gmatch(text, "%f[%a](%u[%a\195\177]+)()") do
    if TITLES[title] then
      local first, last = name_at(letters, at)
      if first then
        add(spans, first, last, "[NAME]", "low",
          ("name %s %s***"):format(title, text:match("^" .. LETTER, first)))
      end
    end
  end
end

-- }========

local function spans_of(text)
  local spans = {}
  emails(text, spans)
  if find(text, "%d") then
    ibans(text, spans)
    cards_and_phones(text, spans)
    addresses(text, spans)
  end
  if find(text, "%u[%a\195\177]+[. ]+[%u\195\225]") then names(text, spans) end
  return spans
end

local WORSE = { high = 3, medium = 2, low = 1 }

-- In order, and two that overlap as one, which is called what the worse is.
local function apart(spans)
  table.sort(spans, function(a, b)
    if a.first ~= b.first then return a.first < b.first end
    return WORSE[a.severity] > WORSE[b.severity]
  end)
  local kept = {}
  for _, span in ipairs(spans) do
    local before = kept[#kept]
    if not before or span.first > before.last then
      kept[#kept + 1] = span
    else
      local worse = WORSE[span.severity] > WORSE[before.severity] and span
        or before
      worse.first, worse.last = before.first, math.max(before.last, span.last)
      kept[#kept] = worse
    end
  end
  return kept
end

-- What was seen, how bad it is, and the text without it.
local function described(text, spans)
  local seen, pieces, at, worst = {}, {}, 1, "low"
  for i, span in ipairs(spans) do
    seen[i] = ("%s at %d"):format(span.shown, span.first)
    pieces[#pieces + 1] = sub(text, at, span.first - 1) .. span.tag
    at = span.last + 1
    if WORSE[span.severity] > WORSE[worst] then worst = span.severity end
  end
  return table.concat(seen, "; "), worst,
    table.concat(pieces) .. sub(text, at)
end

--- A text without personal data: [EMAIL] and the like stand in its place.
-- @string text
-- @treturn string
-- @usage personal.masked "mail jo@acme.org"  --> mail [EMAIL]
function personal.masked(text)
  local _, _, without = described(text, apart(spans_of(text)))
  return without
end

local function check_text(self, row, text, name)
  local spans = spans_of(text)
  if #spans == 0 then return end
  local seen, severity, without = described(text, apart(spans))
  self.found:add(row, "personal_data", severity, name .. seen,
    name == "" and "replace: " .. without or "look")
end

--- Looks at a row.
-- @tparam table row
function Personal:see(row)
  check_text(self, row, row.text, "")
  local pair = row.text_pair
  if pair then check_text(self, row, pair, "second text: ") end
end

--- All was told row by row.
function Personal.finish() end

return personal
