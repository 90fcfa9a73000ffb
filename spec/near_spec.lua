local core = require "lunula.core"
local duplicates = require "lunula.audit.duplicates"

-- Made-up words, some far more frequent than others, as in any language.
local function language(seed)
  local rng, words = core.rng(seed), {}
  for i = 1, 3000 do
    local letters = {}
    for k = 1, 3 + rng:below(7) do
      letters[k] = string.char(97 + rng:below(26))
    end
    words[i] = table.concat(letters)
  end
  local function word() return words[math.floor(3000 ^ rng:float())] end
  local function sentence(least, most)
    local list = {}
    for i = 1, least + rng:below(most - least + 1) do list[i] = word() end
    return list
  end
  return rng, word, sentence
end

local CHANGES = {
  changed = function(list, rng, word)
    local i, other = rng:below(#list) + 1
    repeat other = word() until other ~= list[i]
    list[i] = other
  end,
  dropped = function(list, rng) table.remove(list, rng:below(#list) + 1) end,
  case = function(list, rng)
    local i = rng:below(#list) + 1
    list[i] = list[i]:upper()
  end,
  punctuation = function(list, rng)
    local i = rng:below(#list) + 1
    list[i] = "(" .. list[i] .. ")"
  end,
}
local KINDS = { "changed", "dropped", "case", "punctuation" }

local function copy(list)
  local other = {}
  for i, value in ipairs(list) do other[i] = value end
  return other
end

local function joined(list) return table.concat(list, " ") .. "." end

-- 2,000 sentences and, of each 5th, one that is nearly the same: which row
-- that is of, by its own.
local function injected(seed)
  local rng, word, sentence = language(seed)
  local texts, source = {}, {}
  for i = 1, 2000 do texts[i] = sentence(4, 25) end
  for i = 5, 2000, 5 do
    local list = copy(texts[i])
    CHANGES[KINDS[i / 5 % 4 + 1]](list, rng, word)
    texts[#texts + 1] = list
    source[#texts] = i
  end
  for i, list in ipairs(texts) do texts[i] = joined(list) end
  return texts, source
end

-- Levenshtein's, of words.
local function distance(a, b)
  local row = {}
  for j = 0, #b do row[j] = j end
  for i = 1, #a do
    local diagonal = row[0]
    row[0] = i
    for j = 1, #b do
      local cost = diagonal + (a[i] == b[j] and 0 or 1)
      diagonal = row[j]
      row[j] = math.min(cost, row[j] + 1, row[j - 1] + 1)
    end
  end
  return row[#b]
end

local function near_of(texts, part_of)
  local near = core.near.new()
  for i, text in ipairs(texts) do
    near:add(text, part_of and part_of(i) or 0)
  end
  return near
end

local function is_equal(a, b)
  local near = near_of { a, b }
  return near:text(1) == near:text(2)
end

-- Other sentences, so that it is known which words are common.
local function among_others(...)
  local _, _, sentence = language(3)
  local texts = { ... }
  for _ = 1, 500 do
    local list = sentence(5, 20)
    list[#list + 1] = "the film is good"
    texts[#texts + 1] = joined(list)
  end
  local near = near_of(texts)
  near:search(0.85)
  return near
end

local function are_near(a, b)
  local near = among_others(a, b)
  return near:same(1) == 2 and near:same(2) == 1
end

local function links_of(near)
  local links = {}
  for text = 1, near:count() do
    links[text] = { near:group(text), near:same(text) }
    links[-text] = { near:across(text) }
  end
  return links
end

describe("equal texts", function()
  it("are so whatever case and punctuation", function()
    assert.is_true(is_equal("It's GOOD, really!", "its good -- really"))
    assert.is_true(is_equal("a re-imagining", "A reimagining."))
    assert.is_false(is_equal("a good film", "a good firm"))
    assert.is_false(is_equal("not good", "good not"))
  end)

  it("are so in every form that Unicode has of a letter", function()
    assert.is_true(is_equal("stra\195\159e caf\195\169",
      "STRASSE Cafe\204\129"))
    assert.is_true(is_equal("\239\172\129lm", "\239\188\166\239\188\169LM"))
    assert.is_true(is_equal("a\204\163\204\136", "a\204\136\204\163"))
    assert.is_false(is_equal("caf\195\169", "cafe"))
  end)

  it("have the numbers apart that are apart", function()
    assert.is_false(is_equal("it costs 1.5", "it costs 15"))
    assert.is_false(is_equal("they won 3-1", "they won 31"))
  end)

  it("have pictures, and signs where there are no words", function()
    assert.is_false(is_equal("fine \240\159\145\141", "fine \240\159\145\142"))
    assert.is_false(is_equal(":-)", ":-("))
    assert.is_true(is_equal(" :-) ", ":-)"))
  end)

  it("have words: nothing is equal to nothing", function()
    local near = near_of { "", " \n", "", "\194\160" }
    assert.are.equal(4, near:count())
    near:search(0.85)
    for text = 1, 4 do assert.is_nil(near:same(text)) end
  end)

  it("are chained in the order of their rows", function()
    local near = near_of { "one", "two", "One", "one!", "two" }
    assert.are.same({ 1, 3 }, { near:text(1) })
    assert.are.same({ 1, 4 }, { near:text(3) })
    assert.are.same({ 1 }, { near:text(4) })
    assert.are.equal(2, near:first(2))
  end)

  it("of pairs are equal on both sides", function()
    local near = core.near.new()
    near:add("a man walks", 0, "he moves")
    near:add("A man walks.", 0, "He moves!")
    near:add("a man", 0, "walks he moves")
    near:add("a man walks he moves")
    assert.are.equal(3, near:count())
    assert.are.equal(near:text(1), (near:text(2)))
  end)
end)

describe("nearly equal texts", function()
  it("are found, at least 95 in 100, and hardly any other", function()
    local texts, source = injected(1)
    local near = near_of(texts)
    near:search(0.85)
    local injections, found, right, wrong = 0, 0, 0, 0
    for row, of in pairs(source) do
      local a, b = near:text(row), near:text(of)
      injections = injections + 1
      if a == b or near:same(a) == b then found = found + 1 end
    end
    for text = 1, near:count() do
      local other = near:same(text)
      if other then
        local a, b = near:first(text), near:first(other)
        local is_right = source[a] == b or source[b] == a
        right = right + (is_right and 1 or 0)
        wrong = wrong + (is_right and 0 or 1)
      end
    end
    assert.are.equal(400, injections)
    assert.is_true(found >= 0.95 * injections, found .. " of 400 found")
    assert.is_true(right >= 0.95 * (right + wrong), wrong .. " are no pair")
  end)

  it("are not short ones with one other word", function()
    assert.is_false(are_near("good film", "bad film"))
    assert.is_false(are_near("the film is good", "the film is bad"))
    assert.is_false(are_near("is it good", "is it the film"))
    assert.is_false(are_near("zymurgy", "zymurgy film"))
  end)

  it("may be short when what they share is rare", function()
    assert.is_true(are_near("zymurgy quickens jovial wombats",
      "zymurgy annoys jovial wombats"))
    assert.is_true(are_near("zymurgy quickens jovial wombats",
      "zymurgy quickens jovail wombats"))
  end)

  it("may have their words cut in other places", function()
    assert.is_true(are_near("they do n't like it", "they don't like it"))
    assert.is_false(are_near("gate 1 12 of the film", "gate 11 2 of the film"))
  end)

  it("may be without blanks between words", function()
    local a = "这部电影非常好看我很喜欢它"
    assert.is_true(are_near(a, (a:gsub("很", "真"))))
    assert.is_false(are_near("好看", "难看"))
  end)

  it("are as similar as words are left, a slip being half a word", function()
    local text = "one two three four five six sevens eights nines tens"
    local function similarity(other)
      local _, found = among_others(text, other):same(1)
      return found
    end
    assert.is_near(0.9, similarity((text:gsub("three", "other"))), 1e-6)
    assert.is_near(0.9, similarity((text:gsub("three ", ""))), 1e-6)
    assert.is_near(0.95, similarity((text:gsub("eights", "eigths"))), 1e-6)
    assert.is_nil(similarity((text:gsub("three four", "to fore"))))
  end)

  it("are as similar as the edit distance of their words says", function()
    local rng, met = core.rng(11), 0
    for _ = 1, 300 do
      local a = {}
      for i = 1, 9 + rng:below(30) do a[i] = "w" .. rng:below(20) end
      local b = copy(a)
      for _ = 1, rng:below(9) do
        local list, i = rng:below(2) == 0 and a or b, rng:below(9) + 1
        if rng:below(2) == 0 then table.remove(list, i) else list[i] = "x" end
      end
      local same = 1 - distance(a, b) / math.max(#a, #b)
      local near = near_of { joined(a), joined(b) }
      near:search(0.7)
      local other, similarity = near:same(1)
      if other then
        met = met + 1
        assert.is_near(same, similarity, 1e-6)
        assert.is_true(same >= 0.7 - 1e-6)
      elseif near:count() == 2 then
        assert.is_true(same < 1 - 1 / #a)
      end
    end
    assert.is_true(met > 100, met .. " met")
  end)

  it("are said to differ in numbers when that is all", function()
    local near = among_others("order 17 was sent to you on monday at noon",
      "order 18 was sent to you on monday at noon")
    assert.is_true(select(3, near:same(1)))
    near = among_others("order 17 was sent to you on monday at noon",
      "order 17 was sent to us on monday at noon")
    assert.is_false(select(3, near:same(1)))
  end)

  it("may be long, whatever the number of words", function()
    local _, _, sentence = language(5)
    local list = sentence(5000, 5000)
    local other = copy(list)
    for i = 100, 5000, 100 do other[i] = "other" end
    local near = near_of { joined(list), joined(other),
      joined(sentence(5000, 5000)) }
    near:search(0.85)
    assert.is_near(0.99, select(2, near:same(1)), 1e-6)
    assert.is_nil(near:same(3))
  end)

  it("of pairs are nearly equal on both sides", function()
    local premise = "a man in a red coat walks his old dog along the river"
    local near = core.near.new()
    near:add(premise, 0, "the man is outside")
    near:add(premise, 0, "the man is asleep")
    near:search(0.85)
    assert.is_nil(near:same(1))
    near:add(premise:gsub("river", "water"), 0, "the man is outside")
    near:search(0.85)
    assert.are.equal(3, (near:same(1)))
  end)

  it("are found within a part and across parts", function()
    local text = "of all that there is this one is the best of the year"
    local near = core.near.new()
    near:add(text, 0)
    near:add(text:gsub("best", "worst"), 0)
    near:add(text:gsub("best", "last"), 2)
    near:search(0.85)
    assert.are.equal(2, (near:same(1)))
    assert.are.equal(3, (near:across(1)))
    assert.are.equal(3, (near:across(2)))
    assert.is_nil(near:same(3))
    assert.are.equal(1, (near:across(3)))
    assert.are.equal(1, near:group(3))
  end)

  it("are the same for any number of threads", function()
    local texts = injected(2)
    local function part_of(i) return i % 3 end
    local threads = core.threads()
    local expected
    for _, n in ipairs { 1, 2, 5 } do
      core.threads(n)
      local near = near_of(texts, part_of)
      local compared = near:search(0.8)
      local links = { compared, links_of(near) }
      expected = expected or links
      assert.are.same(expected, links)
    end
    core.threads(threads)
  end)
end)

describe("texts of one make", function()
  local N = 20000
  -- keys of a text are at most 25 and 16 and 1
  local MOST = 8 * 42 * N

  local function compared(make)
    local texts = {}
    for i = 1, N do texts[i] = make(i) end
    local near = near_of(texts)
    return near:search(0.85), near
  end

  it("are each compared with few others", function()
    local _, word = language(7)
    local n, near = compared(function(i)
      return "order " .. i .. " was sent to the customer in the morning"
    end)
    assert.is_true(n <= 3 * N, n .. " comparisons")
    assert.are.equal(1, near:group(N))
    n = compared(function()
      local list = {}
      for i = 1, 8 do list[i] = word() end
      return "dear sir or madam please read what this system sends you "
        .. table.concat(list, " ")
    end)
    assert.is_true(n <= MOST, n .. " comparisons")
    n = compared(function(i) return "good " .. i end)
    assert.is_true(n <= MOST, n .. " comparisons")
  end)

  it("are kept once when they are equal", function()
    local n, near = compared(function() return "one and the same text" end)
    assert.are.equal(0, n)
    assert.are.equal(1, near:count())
    assert.is_true(near:bytes() < 5e6 + 16 * N)
  end)
end)

describe("hostile texts", function()
  it("are texts like others", function()
    local near = near_of {
      "\255\254\253", ("\204\129"):rep(100000), "e" .. ("\204\129"):rep(1e5),
      "a\0b", ("\239\183\186"):rep(1000), "\237\160\128\244\144\128\128",
      ("x"):rep(1e6), ("very "):rep(3000), ("very "):rep(3001),
      ("a b "):rep(12), "\240\159", ("\224\184\129"):rep(500),
    }
    near:search(0.5)
    assert.are.equal(12, near:count())
    assert.are.equal(9, (near:same(8)))
  end)

  it("may have millions of words that hardly differ", function()
    local text = ("lorem ipsum dolor sit "):rep(100000)
    local near = near_of { text, "Or " .. text .. "amet", text:reverse() }
    near:search(0.85)
    assert.are.equal(2, (near:same(1)))
    assert.is_nil(near:same(3))
  end)
end)

describe("core.near", function()
  it("refuses more rows than there are numbers for", function()
    local near = core.near.new(2)
    near:add "a"
    near:add "a"
    assert.has_error(function() near:add "b" end,
      "near: more than 2 rows, or a text of more than 2147483647 bytes")
    assert.are.equal(1, near:count())
    assert.has_error(function() core.near.new(2 ^ 31) end)
  end)

  it("refuses what is no text, part, row or similarity", function()
    local near = near_of { "one", "two" }
    for _, mistake in ipairs {
      function() near:add() end, function() near:add({}) end,
      function() near:add("a", 32) end, function() near:add("a", -1) end,
      function() near:add("a", 0, {}) end, function() near:text(0) end,
      function() near:text(3) end, function() near:first(3) end,
      function() near:same(1) end, function() near:search(0.4) end,
      function() near:search(0 / 0) end, function() near:search(1.1) end,
    } do
      assert.is_false((pcall(mistake)))
    end
    assert.are.equal(2, near:count())
  end)

  it("knows of a search only the texts that it had", function()
    local near = near_of { "one" }
    near:search(0.85)
    near:add "two"
    assert.is_nil(near:same(1))
    assert.is_false((pcall(near.same, near, 2)))
  end)
end)

-- What the detector says of some rows: `FILE:ROW kind severity suggestion`
-- to the evidence, and the figures.
local function audited(rows, options)
  local lines, found, figures, context = {}, {}, {}, {}
  function context.place(index) return rows[index] end
  function found.add(_, place, kind, severity, evidence, suggestion)
    local key = ("%s:%d %s %s %s"):format(place.file, place.number, kind,
      severity, suggestion)
    assert.is_nil(lines[key])
    lines[key] = evidence
  end
  function found.figure(_, name, value) figures[name] = value end
  local detector = duplicates.new(options or duplicates.options, context)
  for _, row in ipairs(rows) do detector:see(row) end
  detector:finish(found)
  return lines, figures.duplicates
end

local PARTS = { a = "train", v = "validation", t = "test" }

-- { file, text, label[, text_pair] } each, as rows.
local function rows_of(list)
  local rows, number = {}, {}
  for i, each in ipairs(list) do
    local file = each[1]
    number[file] = (number[file] or 0) + 1
    local label = each[3]
    rows[i] = { file = file, part = PARTS[file], number = number[file],
      text = each[2], text_pair = each[4],
      label = type(label) ~= "table" and label or nil,
      labels = type(label) == "table" and label or nil }
  end
  return rows
end

local LONG = "of all that there is this one is the best of the year"

describe("the duplicates detector", function()
  it("gives each side of a duplicate its line", function()
    assert.are.same({
      ["a:1 exact_duplicate medium keep"] = 'same text as a:3 (label "x")',
      ["a:3 exact_duplicate medium remove"] = 'same text as a:1 (label "x")',
    }, (audited(rows_of { { "a", "Good!", "x" }, { "a", "Bad!", "y" },
      { "a", " Good!\n", "x" } })))
  end)

  it("calls near what differs in case and punctuation", function()
    local lines, counts = audited(rows_of { { "a", "Good!" }, { "a", "GOOD" },
      { "a", "good." }, { "a", "good." } })
    assert.are.same({
      ["a:1 near_duplicate medium keep"] =
        "same words as a:2; 4 rows have them",
      ["a:2 near_duplicate medium remove"] = "same words as a:1",
      ["a:3 exact_duplicate medium remove"] =
        "same text as a:4; same words as a:1",
      ["a:4 exact_duplicate medium remove"] = "same text as a:3",
    }, lines)
    assert.are.equal(2, counts.exact_duplicates)
    assert.are.equal(2, counts.near_duplicates)
  end)

  it("names the first of a group, and there how many there are", function()
    local lines = audited(rows_of { { "a", "good" }, { "a", "good" },
      { "a", "good" } })
    assert.are.same({
      ["a:1 exact_duplicate medium keep"] = "same text as a:2; 3 rows have it",
      ["a:2 exact_duplicate medium remove"] = "same text as a:1",
      ["a:3 exact_duplicate medium remove"] = "same text as a:1",
    }, lines)
  end)

  it("removes the training side of a leak", function()
    local lines, counts = audited(rows_of { { "a", "good", "x" },
      { "v", "fine", "x" }, { "a", "fine", "x" }, { "t", "Good", "x" } })
    assert.are.same({
      ["a:1 leak high remove"] = 'same text as t:1 (label "x")',
      ["t:1 leak high keep"] = 'same text as a:1 (label "x")',
      ["a:2 leak high remove"] = 'same text as v:1 (label "x")',
      ["v:1 leak high keep"] = 'same text as a:2 (label "x")',
    }, lines)
    assert.are.equal(4, counts.exact_leaks)
  end)

  it("shows equal texts with other labels, and removes none", function()
    local here = 'same text as %s, here label "%s"'
    assert.are.same({
      ["a:1 label_conflict high look"] = here:format('a:2 (label "y")', "x"),
      ["a:2 label_conflict high look"] = here:format('a:1 (label "x")', "y"),
    }, (audited(rows_of { { "a", "good", "x" }, { "a", "Good", "y" } })))
  end)

  it("knows labels in any order, and rows without", function()
    local lines = audited(rows_of { { "a", "one", { "p", "q" } },
      { "a", "one", { "q", "p" } }, { "a", "two", "x" }, { "a", "two" },
      { "a", "three", {} }, { "a", "three", { "p" } } })
    assert.are.equal('same text as a:1 (labels "p", "q")',
      lines["a:2 exact_duplicate medium remove"])
    assert.are.equal('same text as a:3 (label "x")',
      lines["a:4 exact_duplicate medium remove"])
    assert.are.equal('same text as a:6 (labels "p"), here no labels',
      lines["a:5 label_conflict high look"])
  end)

  it("shows texts that are nearly equal, and by how much", function()
    local other = LONG:gsub("best", "last")
    assert.are.same({
      ["a:1 near_duplicate low keep"] =
        "nearly the same text as a:2, similarity 0.92",
      ["a:2 near_duplicate low remove"] =
        "nearly the same text as a:1, similarity 0.92",
    }, (audited(rows_of { { "a", LONG }, { "a", other } })))
    assert.are.same({
      ["a:1 leak medium remove"] =
        "nearly the same text as t:1, similarity 0.92",
      ["t:1 leak medium keep"] =
        "nearly the same text as a:1, similarity 0.92",
    }, (audited(rows_of { { "a", LONG }, { "t", other } })))
  end)

  it("leaves the choice where nearly equal texts have other labels", function()
    local lines = audited(rows_of { { "a", LONG, "good" },
      { "a", LONG:gsub("best", "worst"), "bad" } })
    assert.are.equal('nearly the same text as a:1 (label "good"), '
      .. "similarity 0.92", lines["a:2 near_duplicate low look"])
  end)

  it("says when but numbers differ, and how many hang together", function()
    local rows = {}
    for i = 1, 4 do rows[i] = { "a", LONG .. " " .. 1990 + i } end
    rows[5] = { "t", LONG .. " 2026" }
    local lines = audited(rows_of(rows))
    assert.are.equal("nearly the same text as a:1, similarity 0.93; only "
      .. "numbers differ; one of 5 that hang together",
      lines["a:4 near_duplicate low look"])
    assert.is_string(lines["t:1 leak low look"])
  end)

  it("takes texts and their pairs together", function()
    local lines = audited(rows_of { { "a", "one", "x", "two" },
      { "a", "one", "y", "three" }, { "a", "one", "x", "two" },
      { "a", "One", "x", "Two" } })
    assert.are.same({
      ["a:1 exact_duplicate medium keep"] =
        'same text as a:3 (label "x"); 3 rows have it',
      ["a:3 exact_duplicate medium remove"] = 'same text as a:1 (label "x")',
      ["a:4 near_duplicate medium remove"] = 'same words as a:1 (label "x")',
    }, lines)
  end)

  it("finds nothing among empty texts", function()
    assert.are.same({}, (audited(rows_of { { "a", "", "x" },
      { "a", "  ", "y" }, { "t", "", "x" } })))
  end)

  it("takes similarities from a half to one", function()
    local context = { place = function() end }
    assert.has_error(function() duplicates.new({ similarity = 2 }, context) end,
      "audit: similarity: expected a number from 0.5 to 1, got 2")
    local rows = rows_of { { "a", LONG }, { "a", LONG .. " too" } }
    assert.are.same({}, (audited(rows, { similarity = 1 })))
  end)
end)
