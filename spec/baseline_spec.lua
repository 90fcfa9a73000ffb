local baseline = require "lunula.baseline"
local features = require "lunula.baseline.features"

local function fails(message, f, ...)
  local ok, raised = pcall(f, ...)
  assert.is_false(ok)
  assert.are.equal(message, raised)
end

local function rows_of(list)
  local rows = {}
  for i, pair in ipairs(list) do
    rows[i] = { text = pair[1], label = pair[2] }
  end
  return rows
end

local ADJECTIVES = {
  good = { "lovely", "quiet", "funny", "warm", "clever" },
  bad = { "dull", "loud", "lifeless", "cold", "stale" },
}
local THINGS = { "film", "play", "story", "cast", "score", "song" }

-- Every adjective with every thing but the last one, which is for the test.
local function reviews(first, last)
  local rows = {}
  for label, adjectives in pairs(ADJECTIVES) do
    for _, adjective in ipairs(adjectives) do
      for i = first, last do
        rows[#rows + 1] =
          { text = "A " .. adjective .. " " .. THINGS[i], label = label }
      end
    end
  end
  table.sort(rows, function(a, b) return a.text < b.text end)
  return rows
end

describe("baseline.majority", function()
  it("always gives the most frequent label", function()
    local floor = baseline.majority(
      rows_of { { "x", "b" }, { "y", "a" }, { "z", "b" } })
    assert.are.equal("b", floor:predict("x"))
    assert.are.equal("b", floor:predict(""))
  end)

  it("gives the first by name of labels as frequent as each other", function()
    assert.are.equal("a",
      baseline.majority(rows_of { { "x", "b" }, { "y", "a" } }):predict("x"))
  end)

  it("reports how it does", function()
    local floor = baseline.majority(
      rows_of { { "x", "b" }, { "y", "a" }, { "z", "b" } })
    local report = floor:evaluate(rows_of { { "x", "b" }, { "y", "c" } })
    assert.are.equal(0.5, report.accuracy)
    assert.are.same({ "a", "b", "c" }, report.labels)
  end)
end)

describe("baseline.bag_of_words", function()
  it("learns which words speak for which label", function()
    local bag = baseline.bag_of_words(reviews(1, 5))
    assert.are.equal(1, bag:evaluate(reviews(6, 6)).accuracy)
    assert.are.equal("good", bag:predict("how LOVELY!"))
    assert.are.equal("bad", bag:predict("stale, and so loud"))
  end)

  it("learns from the order of two words", function()
    local rows = {}
    for _, thing in ipairs(THINGS) do
      rows[#rows + 1] = { text = thing .. " good not bad", label = "good" }
      rows[#rows + 1] = { text = thing .. " bad not good", label = "bad" }
    end
    local bag = baseline.bag_of_words(rows)
    assert.are.equal("good", bag:predict("good not bad"))
    assert.are.equal("bad", bag:predict("bad not good"))
  end)

  it("tells many labels apart", function()
    local rows = {}
    for i = 1, 200 do
      local label = "label " .. i % 20
      rows[i] = { text = ("word%d filler%d"):format(i % 20, i), label = label }
    end
    local bag = baseline.bag_of_words(rows)
    for i = 0, 19 do
      assert.are.equal("label " .. i, bag:predict("word" .. i))
    end
  end)

  it("tells the words of the second text from those of the first", function()
    local rows = {}
    for i = 1, 20 do
      rows[2 * i - 1] = { text = "cat", text_pair = "dog", label = "x" }
      rows[2 * i] = { text = "dog", text_pair = "cat", label = "y" }
    end
    local bag = baseline.bag_of_words(rows)
    assert.are.equal("x", bag:predict("cat", "dog"))
    assert.are.equal("y", bag:predict("dog", "cat"))
    assert.are.equal(1, bag:evaluate(rows).accuracy)
  end)

  it("gives the most frequent label where it knows no word", function()
    local rows = reviews(1, 5)
    for i = 1, 40 do rows[#rows + 1] = { text = "so " .. i, label = "bad" } end
    local bag = baseline.bag_of_words(rows)
    assert.are.equal("bad", bag:predict("zzz"))
    assert.are.equal("bad", bag:predict(""))
  end)

  it("is the same for the same seed", function()
    local function probe(seed)
      return baseline.bag_of_words(reviews(1, 3), { seed = seed, epochs = 1 })
        :evaluate(reviews(4, 6))
    end
    assert.are.same(probe(1), probe(1))
  end)

  it("leaves out what too few texts have", function()
    local rows = reviews(1, 5)
    rows[#rows + 1] = { text = "unique", label = "good" }
    local all = baseline.bag_of_words(rows)
    local frequent = baseline.bag_of_words(rows, { min_count = 2 })
    assert.are.equal("good", all:predict("unique"))
    assert.are.equal(frequent:predict("zzz"), frequent:predict("unique"))
  end)

  it("does with one label, and with texts without words", function()
    local bag = baseline.bag_of_words(rows_of { { "x", "a" }, { "...", "a" } })
    assert.are.equal("a", bag:predict("?"))
  end)
end)

describe("a baseline refuses", function()
  local rows = rows_of { { "x", "a" } }

  it("no rows", function()
    fails("baseline: no rows", baseline.majority, {})
    fails("baseline: no rows", baseline.bag_of_words, {})
    fails("baseline: expected an array of rows, got nil", baseline.majority)
    local floor = baseline.majority(rows)
    fails("baseline: no rows", floor.evaluate, floor, {})
  end)

  it("rows without a text or a label", function()
    fails("baseline: row 2: label: expected a string, got nil",
      baseline.bag_of_words, { rows[1], { text = "y" } })
    fails("baseline: row 1: text: expected a string, got number",
      baseline.majority, { { text = 1, label = "a" } })
    local floor = baseline.majority(rows)
    fails("predict: expected a text, got nil", floor.predict, floor)
  end)

  it("options it does not know, or that are no numbers", function()
    fails("bag_of_words: unknown option 'rate'; known: epochs, l2, "
      .. "learning_rate, min_count, seed", baseline.bag_of_words, rows,
      { rate = 1 })
    fails("bag_of_words: epochs: expected an integer of at least 1, got '3'",
      baseline.bag_of_words, rows, { epochs = "3" })
  end)
end)

describe("features.of", function()
  it("gives words and pairs of neighbours, once each", function()
    assert.are.same({ "not", "^ not", "good", "not good", "good not" },
      features.of("Not good, NOT good"))
  end)

  it("keeps apostrophes and characters beyond ASCII in words", function()
    assert.are.same({ "don't", "^ don't", "caf\195\169", "don't caf\195\169" },
      features.of("Don't caf\195\169"))
  end)

  it("takes Chinese characters one at a time", function()
    assert.are.same({ "好", "^ 好", "书", "好 书" }, features.of("好书"))
  end)
end)
