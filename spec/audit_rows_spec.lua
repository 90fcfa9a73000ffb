--- What one row at a time shows: each check with texts that it is to find, and
-- texts that look alike and are nobody's fault.
local audit = require "lunula.audit"
local csv = require "lunula.data.csv"
local excerpt = require "lunula.audit.excerpt"
local file = require "spec.support.file"
local mojibake = require "lunula.audit.mojibake"
local numbers = require "lunula.audit.numbers"
local scripts = require "lunula.audit.scripts"
local stopwords = require "lunula.audit.stopwords"

local path = os.tmpname()

local function all(found)
  local list = {}
  for issue in found:each() do list[#list + 1] = issue end
  return list
end

-- The issues of rows { text, label }, made by one check.
local function issues(check, rows, given)
  local lines = { "text,label" }
  for _, row in ipairs(rows) do
    if type(row) == "string" then row = { row, "x" } end
    lines[#lines + 1] = csv.line(row)
  end
  file.write(path, table.concat(lines, "\n") .. "\n")
  local options = { checks = { check }, format = "csv" }
  for name, value in pairs(given or {}) do options[name] = value end
  local document, found = audit({ path }, options)
  return all(found), document
end

-- The only issue of a text, or nothing.
local function issue_of(check, text, given)
  local list = issues(check, { text }, given)
  assert.is_true(#list <= 1)
  return list[1]
end

local function is_clean(check, text)
  local issue = issue_of(check, text)
  assert.is_nil(issue, issue and text .. ": " .. issue.evidence)
end

local function replaced(check, text)
  local issue = issue_of(check, text)
  assert.is_table(issue, text)
  return issue.suggestion:match "^replace: (.*)$"
end

teardown(function() os.remove(path) end)

describe("an audit's check of the encoding", function()
  it("mends UTF-8 that was read as Windows-1252", function()
    for damaged, meant in pairs {
      ["I donâ€™t know"] = "I don’t know",
      ["cafÃ© au lait"] = "café au lait",
      ["Ã–sterreich schÃ¶n"] = "Österreich schön",
      ["Â£20 and 30Â°"] = "£20 and 30°",
      ["ÐŸÑ€Ð¸Ð²ÐµÑ‚ Ð¼Ð¸Ñ€"] = "Привет мир",
      ["great ðŸ˜€"] = "great 😀",
      ["â€œquotedâ€\194\157 text"] = "“quoted” text",
      ["â€œquotedâ€ text"] = "“quoted” text",
    } do
      assert.are.equal(meant, replaced("encoding", damaged))
    end
  end)

  it("mends what was mistaken as Latin-1, and what was mistaken twice",
      function()
    assert.are.equal("it’s", replaced("encoding",
      "it\195\162\194\128\194\153s"))
    assert.are.equal("café", mojibake.mended "cafÃƒÂ©")
    assert.are.equal("don’t", mojibake.mended "donÃ¢â‚¬â„¢t")
  end)

  it("mends one damaged word beside a sound one", function()
    assert.are.equal("naïve “café”", mojibake.mended "naïve “cafÃ©”")
  end)

  it("leaves honest letters with accents alone", function()
    for _, text in ipairs { "“CAFÉ”", "POKÉ™", "Ò»", "voilà\194\160» dit-il",
        "Ça, c’est « très » bien…", "PÍŠE ÚŽASNĚ", "Größe: 3 m²", "Spaß…",
        "ÅÄÖ – åäö", "“AMANHÔ", "10 °C ± 2 °C", "Привет, мир",
        "你好，世界", "naïve — façade", "Ñandú", "L’Â»" } do
      is_clean("encoding", text)
    end
  end)

  it("finds bytes that are not UTF-8, and what they were", function()
    local issue = issue_of("encoding", "caf\233 noir")
    assert.are.equal("high", issue.severity)
    assert.are.equal("not UTF-8: byte 0xE9 at 4", issue.evidence)
    assert.are.equal("replace: café noir", issue.suggestion)
    -- cut in the middle of a character
    assert.are.equal("caf", replaced("encoding", "caf\195"))
  end)

  it("tells of a character that is lost, which nothing brings back", function()
    local issue = issue_of("encoding", "caf\239\191\189 noir")
    assert.are.equal("look", issue.suggestion)
    assert.matches("U%+FFFD", issue.evidence)
  end)

  it("mends HTML entities, and leaves ampersands alone", function()
    assert.are.equal("salt & \"pepper\" – 5 €", replaced("encoding",
      "salt &amp; &quot;pepper&quot; &#8211; 5 &#x20AC;"))
    assert.are.equal("a < b", replaced("encoding", "a &amp;lt; b"))
    assert.are.equal("😀", replaced("encoding", "&#128512;"))
    for _, text in ipairs { "Q&A", "AT&T; and more", "a & b; c",
        "x?a=1&b=2;", "&#99999999999;", "&#xD800;", "&#0;" } do
      is_clean("encoding", text)
    end
  end)

  it("takes out characters that nobody sees", function()
    assert.are.equal("zero width", replaced("encoding",
      "zero\226\128\139 wi\194\173dth"))
    -- nothing to put in its place
    assert.are.equal("look",
      issue_of("encoding", "\226\128\139 ").suggestion)
    assert.are.equal("mark", replaced("encoding", "\239\187\191mark"))
    assert.are.equal("bell", replaced("encoding", "be\7ll"))
    assert.are.equal("word", replaced("encoding", "wo\226\128\141rd"))
    assert.are.equal("dash – here", replaced("encoding",
      "dash \194\150 here"))
    -- a joiner has work to do in Persian and in emoji
    is_clean("encoding", "می\226\128\140خواهم")
    is_clean("encoding", "👩\226\128\141🔬")
    is_clean("encoding", "tab\tand two\nlines")
  end)

  it("tells of all damage of a row at once", function()
    local issue = issue_of("encoding", "donâ€™t &amp; wonâ€™t\7")
    assert.are.equal("high", issue.severity)
    assert.are.equal("replace: don’t & won’t", issue.suggestion)
    assert.matches("mojibake.*; HTML entity.*; control character",
      issue.evidence)
  end)
end)

describe("an audit's check of the language", function()
  local function with_english(...)
    local rows = { ... }
    for i = 1, 30 do
      rows[#rows + 1] = "this is what I would say of the film that we saw "
        .. i
    end
    return rows
  end

  it("finds texts in another script than most", function()
    local list = issues("language", with_english("Очень хороший фильм",
      "你好", "ಠ_ಠ oh no", "the ツ of it", "café"))
    assert.are.equal(2, #list)
    assert.are.equal("script Cyrillic, most texts are in Latin: "
      .. '"Очень хороший фильм"', list[1].evidence)
    assert.matches("Han and kana", list[2].evidence)
  end)

  it("finds texts in another language than most, where they are long enough",
      function()
    local list = issues("language", with_english(
      "Das ist ein sehr schöner Film, und ich habe ihn gern gesehen.",
      "El mejor restaurante de la ciudad, pero no es para todos los días.",
      "Ich auch", "Ha ha ha ha ha ha ha ha", "Ho ho ho ho ho said the man",
      "Qui bono, as they say of those who have all of it"))
    assert.are.equal(2, #list)
    assert.matches("seems to be German, most texts are in English",
      list[1].evidence)
    assert.matches("seems to be Spanish", list[2].evidence)
  end)

  it("tells of nothing where no language is that of most", function()
    local rows = {}
    for i = 1, 40 do
      rows[i] = i % 2 == 0 and "this is one of the films that I saw there"
        or "das ist einer der Filme, die ich dort auch gesehen habe"
    end
    local list, document = issues("language", rows)
    assert.are.same({}, list)
    assert.are.equal("no language is clearly that of most texts",
      document.skipped.language)
    assert.are.same({ en = 20, de = 20 }, document.figures.languages)
  end)

  it("asks for the languages that are given", function()
    local rows = with_english(
      "das ist einer der Filme, die ich dort auch gesehen habe")
    assert.are.equal(0, #issues("language", rows,
      { languages = { "en", "de" } }))
    assert.are.equal(30, #issues("language", rows, { languages = { "de" } }))
    assert.has_error(function()
      issues("language", rows, { languages = { "tlh" } })
    end)
  end)

  it("knows scripts and languages", function()
    for text, script in pairs { ["Привет, John"] = "Cyrillic",
        ["日本語のテキスト"] = "Han and kana", ["한국어"] = "Hangul",
        ["नमस्ते"] = "Devanagari", ["שלום"] = "Hebrew", ["γειά"] = "Greek",
        ["ﬁn"] = "Latin", ["สวัสดี"] = "Thai", ["مرحبا"] = "Arabic" } do
      assert.are.equal(script, (scripts.of(text)))
    end
    assert.is_nil((scripts.of "12 + 30 = 42!"))
    for code, text in pairs {
      fr = "Le film est une réussite et je ne suis pas déçu du tout avec lui",
      it = "Questo è il film che non ho mai visto, ma sono molto contento",
      pt = "Não é um filme para quem não gosta de esperar, mas eu gostei muito",
      nl = "Het is een film die je niet kan missen, maar ik vond hem te lang",
      sv = "Det är en film som inte har något att säga om vad den vill",
      pl = "To jest film, który nie jest dla mnie, ale może się podobać",
    } do
      assert.are.equal(code, stopwords.guess(text))
    end
  end)

  it("knows the language of a short sentence, and makes none of English",
      function()
    for text, code in pairs {
        ["Ich möchte mein Konto schließen."] = "de",
        ["Warum wurde meine Zahlung abgelehnt?"] = "de",
        ["La batería no dura mucho, pero la cámara es buena."] = "es",
        ["Je voudrais fermer mon compte."] = "fr",
        ["Onde está o meu cartão?"] = "pt",
        ["Gdzie jest moja karta?"] = "pl" } do
      assert.are.equal(code, stopwords.guess(text), text)
    end
    for _, text in ipairs { "why men die in every war", "La La Land",
        "die hard in a dark war", "El Niño hits Los Angeles",
        "Que sera sera, sang Doris Day", "ca n't quite say what it wants",
        "Robert De Niro, Van Damme and Van Gogh", "a bin man had a son",
        "the Das Boot of la la land" } do
      local guess = stopwords.guess(text)
      assert.is_true(guess == nil or guess == "en", text)
    end
  end)
end)

describe("an audit's check of empty rows", function()
  it("finds no text, no letters, too few letters and no label", function()
    local list = issues("empty", { { "", "x" },
      { " \194\160\226\128\139", "x" },
      { "?!... —", "x" }, { "a", "x" }, { "fine", "" }, { "ok", "x" },
      { "7", "x" }, { "42", "x" }, { "好", "x" }, { "😀", "x" } })
    local told = {}
    for i, issue in ipairs(list) do
      told[i] = ("%d %s %s %s"):format(issue.row, issue.severity,
        issue.suggestion, issue.evidence)
    end
    assert.are.same({ "1 high remove no text",
      "2 high remove no text: \" \194\160\226\128\139\"",
      '3 low look nothing but marks: "?!... —"',
      '4 low look too short: "a"', "5 high look no label",
      '7 low look too short: "7"' }, told)
  end)

  it("asks for as many letters as are wanted", function()
    assert.are.equal(0, #issues("empty", { "no" }))
    assert.are.equal(1, #issues("empty", { "no", "not so" },
      { min_length = 4 }))
  end)
end)

describe("an audit's check of boilerplate", function()
  it("finds placeholders, and not words that hold one", function()
    for _, text in ipairs { "n/a", " NULL ", "[deleted]", "Test", "asdf",
        "aaaaaa", "Lorem ipsum", "#REF!" } do
      assert.are.equal("remove", issue_of("boilerplate", text).suggestion)
    end
    for _, text in ipairs { "this is a test of patience", "null and void",
        "a", "no", "aha", "none of them", "the deleted scenes are good" } do
      is_clean("boilerplate", text)
    end
  end)

  it("finds what mail programs and web pages add", function()
    local issue = issue_of("boilerplate",
      "See you there on Monday then! Sent from my iPhone")
    assert.are.equal("look", issue.suggestion)
    assert.are.equal("remove", issue_of("boilerplate",
      "© 2020 All rights reserved.").suggestion)
    is_clean("boilerplate", "how do I unsubscribe from the rights of others?")
  end)

  it("finds beginnings and ends that many texts share, but no duplicates",
      function()
    local rows = {}
    for i = 1, 100 do rows[i] = ("the %d one is a text of its own kind, "
      .. "with words and more words until %d is reached"):format(i, i) end
    for i = 1, 12 do
      rows[#rows + 1] = ("Dear customer, thank you for writing to us about "
        .. "item %d today"):format(i * 7)
      rows[#rows + 1] = ("%d times yes. -- The Example Company, Main Street "
        .. "1, Springfield"):format(i * 3)
      rows[#rows + 1] = "this very text stands in the file a dozen times, "
        .. "word for word as here"
    end
    local list, document = issues("boilerplate", rows)
    assert.are.equal(24, #list)
    assert.are.equal('12 rows begin with "Dear customer, thank you for '
      .. 'writing to "', list[1].evidence)
    assert.matches("^12 rows end with", list[2].evidence)
    assert.are.equal(12, document.figures.repeated.beginnings[1].rows)
  end)
end)

describe("an audit's check of personal data", function()
  it("masks e-mail addresses", function()
    local issue = issue_of("personal",
      "write to jane.doe+x@mail.acme.co.uk, please")
    assert.are.equal("replace: write to [EMAIL], please", issue.suggestion)
    assert.are.equal("e-mail address j***@m***.uk at 10", issue.evidence)
    -- a domain for examples is nobody's: who tries the check wants to see it
    assert.are.equal("replace: [EMAIL]",
      issue_of("personal", "me@example.com").suggestion)
    for text, masked in pairs { ["müller@web.de."] = "[EMAIL].",
        ["o'brien@acme.org"] = "[EMAIL]", ["'jo@acme.org'"] = "'[EMAIL]'",
        ["“info@müller.de”"] = "“[EMAIL]”" } do
      assert.are.equal(masked, replaced("personal", text))
    end
    assert.are.equal("e-mail address Ö***@m***.de at 1",
      issue_of("personal", "Özil@müller.de").evidence)
    for _, text in ipairs { "@jane said so", "a @ b.c", "x@y" } do
      is_clean("personal", text)
    end
  end)

  it("is soon done with a text that is one word without end", function()
    is_clean("personal", ("7"):rep(1e6))
    is_clean("personal", "x @ " .. ("a"):rep(1e6))
    assert.are.equal("replace: " .. ("[EMAIL] "):rep(20000),
      issue_of("personal", ("jo@acme.org "):rep(20000)).suggestion)
  end)

  it("masks what is two things at once as one, the worse", function()
    assert.are.equal("replace: to [CARD], now", issue_of("personal",
      "to 4111 1111 1111 1111@acme.org, now").suggestion)
  end)

  it("finds cards by their issuer, form and check digit", function()
    local issue = issue_of("personal", "it is 4111 1111 1111 1111, valid")
    assert.are.equal("high", issue.severity)
    assert.are.equal("card number 41** **** **** **11 at 7", issue.evidence)
    assert.are.equal("replace: it is [CARD], valid", issue.suggestion)
    for _, card in ipairs { "5500005555555559", "3782 822463 10005",
        "6011-1111-1111-1117" } do
      assert.is_true(numbers.is_card(card))
    end
    for _, text in ipairs { "it is 4111 1111 1111 1112", "9111111111111111",
        "4444444444444444", "41 11 11 11 11 11 11 11",
        "order 4111111111111111", "order no. 4111111111111111",
        "tracking: 4111111111111111",
        "0x4111111111111111", "978-3-16-148410-0", "1234567890123456" } do
      is_clean("personal", text)
    end
  end)

  it("finds numbers in brackets and before other numbers", function()
    for text, masked in pairs {
        ["mine (4111 1111 1111 1111) is"] = "mine ([CARD]) is",
        ["(1-800-555-0199)"] = "([PHONE])",
        ["4111 1111 1111 1111 12/25 123"] = "[CARD] 12/25 123",
        ["212-555-0187 / 212-555-0188"] = "[PHONE] / [PHONE]",
        ["212-555-0187 24 hours"] = "[PHONE] 24 hours" } do
      assert.are.equal(masked, replaced("personal", text))
    end
    is_clean("personal", "4111 1111 1111 1112 12/25 123")
    is_clean("personal", "order 4111 1111 1111 1111 2")
  end)

  it("finds IBANs by their country, length and check digits", function()
    assert.are.equal("to [IBAN].", replaced("personal",
      "to DE89 3704 0044 0532 0130 00."))
    assert.are.equal("[IBAN]", replaced("personal",
      "GB82WEST12345698765432"))
    assert.are.equal("[IBAN] and more", replaced("personal",
      "gb82west12345698765432 and more"))
    assert.not_matches("WEST", issue_of("personal",
      "GB82WEST12345698765432").evidence)
    for _, text in ipairs { "DE89 3704 0044 0532 0130 01",
        "XX82WEST12345698765432", "DE89", "GB82 WEST 1234",
        "GB82WEST123456987654321" } do
      is_clean("personal", text)
    end
  end)

  it("finds telephones, and no dates, prices, orders or clocks", function()
    for _, phone in ipairs { "+44 20 7946 0958", "(212) 555-0187",
        "212-555-0187", "+49 (0)30 901820", "01 42 68 53 00",
        "030/9018200", "0171 1234567", "1-800-555-0199", "030 901820",
        "(020) 7946 0958", "0049 30 901820", "0033 6 12 34 56 78",
        "06-12-34-56-78", "0612345678", "07700900123", "01711234567",
        "415 555 2671" } do
      assert.are.equal("my number: [PHONE]!", replaced("personal",
        "my number: " .. phone .. "!"), phone)
    end
    assert.are.equal("call me at [PHONE]", replaced("personal",
      "call me at 5550187"))
    for _, text in ipairs { "2020-10-11 12:30:45", "11/10/2020",
        "1,234,567.89", "$12345678", "order 1234567890", "#1234567890",
        "invoice no. 2125550187", "version 1.2.3.4", "10:30-11:45",
        "1234567890", "from 1914-1918 and 1939-1945", "5 000 000 000",
        "basically 12345678", "3.14159265358979", "100 200 3000",
        "ISBN 0-306-40615-2", "0679601961", "0012345678", "01-02-2003",
        "12345678%", "id=2125550187", "call 911",
        "the hotel 12345678" } do
      is_clean("personal", text)
    end
  end)

  it("finds internet addresses, and no versions", function()
    assert.are.equal("from [IP] again", replaced("personal",
      "from 93.184.216.34 again"))
    assert.are.equal("[IP]", replaced("personal",
      "2a00:1450:4001:81b::200e"))
    assert.are.equal("low",
      issue_of("personal", "seen at 192.168.1.20").severity)
    for _, text in ipairs { "v93.184.216.34", "version 12.10.3.44",
        "1.2.3.4", "300.1.2.3", "1.2.3.4.5", "12:30:45", "std::vector::at",
        "00:1b:44:11:3a:b7", "a::b", "ratio 1:2:3" } do
      is_clean("personal", text)
    end
  end)

  it("finds names after titles", function()
    assert.are.equal("Dr. [NAME] and Frau [NAME] met Mrs [NAME]'s son",
      replaced("personal",
        "Dr. Jane Watson and Frau Müller met Mrs Smith's son"))
    for text, masked in pairs { ["Dr. J. R. Ewing"] = "Dr. [NAME]",
        ["Frau Özdemir"] = "Frau [NAME]", ["Señor Álvarez"] = "Señor [NAME]",
        ["“Mr. Smith” is"] = "“Mr. [NAME]” is",
        ["Mr. Nguyễn’s dog"] = "Mr. [NAME]’s dog",
        ["Prof. Dr. Jörg Müller"] = "Prof. Dr. [NAME]",
        ["Sir Ian McKellen"] = "Sir [NAME]" } do
      assert.are.equal(masked, replaced("personal", text))
    end
    local issue = issue_of("personal", "ask Mr. Watson")
    assert.are.equal("low", issue.severity)
    assert.not_matches("Watson", issue.evidence)
    for _, text in ipairs { "Dr Pepper", "Mr President", "Miss you", "Mr. ",
        "Doctor of letters", "MrBeast", "Miss America", "Dr. Who's here",
        "Dear Sir Or Madam" } do
      is_clean("personal", text)
    end
  end)

  it("tells of all of a row at once, never in full", function()
    local issue = issue_of("personal",
      "Mr Watson, 4111111111111111, +44 20 7946 0958, w@acme.org")
    assert.are.equal("high", issue.severity)
    assert.are.equal("replace: Mr [NAME], [CARD], [PHONE], [EMAIL]",
      issue.suggestion)
    for _, secret in ipairs { "Watson", "4111111111111111", "7946", "acme" } do
      assert.not_matches(secret, issue.evidence)
    end
  end)
end)

describe("an audit's check of the balance", function()
  local function rows_of(counts)
    local rows = {}
    for label, n in pairs(counts) do
      for i = 1, n do rows[#rows + 1] = { label .. " text " .. i, label } end
    end
    return rows
  end

  it("tells counts, imbalance and entropy", function()
    local list, document = issues("balance", rows_of { a = 30, b = 10 })
    assert.are.same({}, list)
    local figure = document.figures.balance
    assert.are.equal(3, figure.imbalance_ratio)
    assert.is_near(0.8112781, figure.entropy_bits, 1e-6)
    assert.are.equal("a", figure.by_label[1].label)
    assert.are.equal(10, figure.by_label[2].rows)
  end)

  it("finds labels too rare for the folds", function()
    local list = issues("balance", rows_of { a = 30, b = 4, c = 1 })
    assert.are.equal(5, #list)
    local severity = {}
    for _, issue in ipairs(list) do
      assert.are.equal("rare_label", issue.kind)
      severity[issue.severity] = (severity[issue.severity] or 0) + 1
    end
    assert.are.same({ high = 1, medium = 4 }, severity)
    assert.are.equal(1, #issues("balance", rows_of { a = 30, b = 4, c = 1 },
      { folds = 2 }))
  end)

  it("finds labels that look like one, and names the commoner", function()
    local list = issues("balance", { { "one", "New York" },
      { "two", "New York" }, { "three", "new_york" } }, { folds = 2 })
    local suggestions = {}
    for _, issue in ipairs(list) do
      if issue.kind == "label_error" then
        suggestions[#suggestions + 1] = issue.row .. " " .. issue.suggestion
      end
    end
    assert.are.same({ "3 relabel: New York" }, suggestions)
  end)

  it("takes many numbers for values, and many strings for texts", function()
    local values, texts = {}, {}
    for i = 1, 60 do
      values[i] = { "a text", tostring(i / 4) }
      texts[i] = { "a text", "label " .. i }
    end
    local list, document = issues("balance", values)
    assert.are.same({}, list)
    assert.are.equal(15, document.figures.values.greatest)
    list, document = issues("balance", texts)
    assert.are.same({}, list)
    assert.matches("no labels", document.skipped.balance)
  end)

  it("finds a label that comes twice in a row or is empty", function()
    local list = issues("balance", { { "x", "a;b;a" }, { "y", "a;;b" },
      { "z", "a;b" }, { "u", "" } }, { label_separator = ";", folds = 2 })
    assert.are.equal(2, #list)
    assert.are.equal("relabel: a;b", list[1].suggestion)
    assert.are.equal("label 'a' comes twice", list[1].evidence)
    assert.are.equal("one of the labels is empty", list[2].evidence)
  end)
end)

describe("an excerpt", function()
  it("is one line, cut between characters", function()
    assert.are.equal('"two lines"', excerpt.of "two\nlines")
    assert.are.equal('"é..."', excerpt.of("éé", 3))
    assert.are.equal('"...é b ..."', excerpt.around("aéé b éé", 6, 6, 2))
    assert.are.equal('"bad \239\191\189"', excerpt.of "bad \255")
  end)

  it("shows no personal data, where it is cut neither", function()
    local text = "my card 4111 1111 1111 1111 &amp; jo.smith@gmail.com"
    assert.are.equal('"my card [CARD] &amp; [EMAIL]"', excerpt.of(text))
    assert.are.equal('"my card [CARD]..."', excerpt.of(text, 14))
    local at = text:find("&", 1, true)
    assert.are.equal('"my card [CARD] &amp; [EMAIL]"',
      excerpt.around(text, at, at + 4))
    assert.are.equal('"...D] &amp; [E..."', excerpt.around(text, at, at + 4, 3))
  end)
end)
