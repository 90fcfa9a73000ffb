local augment = require "lunula.train.augment"
local core = require "lunula.core"
local fits = require "spec.support.fits"

local fit = fits.fit

describe("Augmentation", function()
  local TEXT = "a b c d e f g h i j"

  -- how often each of many texts has a property
  local function share(p_drop, p_swap, count)
    local sum, n = 0, 4000
    for i = 1, n do
      sum = sum + count(augment.text(TEXT, p_drop, p_swap, core.rng(8, i)))
    end
    return sum / n
  end

  local function words_of(text)
    return select(2, text:gsub("%S+", ""))
  end

  it("drops each word with the probability asked for", function()
    assert.is_near(7, share(0.3, 0, words_of), 0.1)
    local function has_e(text) return text:find "e" and 1 or 0 end
    assert.is_near(0.7, share(0.3, 0, has_e), 0.03)
  end)

  it("keeps the order of what it does not drop", function()
    for i = 1, 100 do
      local last = ""
      for word in augment.text(TEXT, 0.5, 0, core.rng(1, i)):gmatch "%S+" do
        assert.is_true(word > last)
        last = word
      end
    end
  end)

  it("leaves one word at least, any of them", function()
    local seen = {}
    for i = 1, 500 do
      local text = augment.text("one two three", 0.999, 0, core.rng(1, i))
      seen[text] = (seen[text] or 0) + 1
    end
    for _, word in ipairs { "one", "two", "three" } do
      assert.is_true(seen[word] > 100)
    end
  end)

  it("swaps neighbours with the probability asked for", function()
    local function begins_swapped(text)
      return text:find "^b a" and 1 or 0
    end
    assert.is_near(0.2, share(0, 0.2, begins_swapped), 0.03)
    for i = 1, 100 do
      local text, at = augment.text(TEXT, 0, 0.5, core.rng(2, i)), 0
      assert.are.equal(#TEXT, #text)
      for word in text:gmatch "%S+" do
        at = at + 1
        assert.is_true(math.abs(word:byte() - ("a"):byte() + 1 - at) <= 1)
      end
    end
  end)

  it("leaves a text of no word, and one of one, as it is", function()
    for _, text in ipairs { "", "  ", "fine" } do
      assert.are.equal(text, augment.text(text, 0.9, 0.9, core.rng(1)))
    end
  end)

  local function batch_of(rows, given, numbers, step)
    given.seed = 3
    local model = fits.new_model()
    local made = augment.new { model = model, plan = { rows = rows },
      options = given }
    made:first { options = given, step = step or 1 }
    local item = { rows = numbers }
    made:batch(item)
    assert.are.equal(#item.batch.ids, item.tokens)
    return item.batch.ids:totable(), item.batch.types:totable()
  end

  it("reads what the tokenizer reads where nothing happens", function()
    local rows = { { text = "the  film\tis good." }, { text = "a plot" } }
    local ids = batch_of(rows, { word_dropout = 1e-9, word_swap = 0 },
      { 2, 1 })
    local wanted = fits.new_model().tokenizer:encode(
      { "a plot", "the film is good." })
    assert.are.same(wanted.ids:totable(), ids)
  end)

  it("is of both texts of a pair", function()
    local text = "the film is a good film"
    local rows = { { text = text, text_pair = text } }
    local ids, types = batch_of(rows, { word_dropout = 0.5, word_swap = 0 },
      { 1 })
    local count = { [0] = 0, 0 }
    for _, kind in ipairs(types) do count[kind] = count[kind] + 1 end
    assert.is_true(#ids < 15)
    -- [CLS] text [SEP], text_pair [SEP]
    assert.is_true(count[0] >= 3 and count[0] < 8)
    assert.is_true(count[1] >= 2 and count[1] < 7)
  end)

  it("depends on seed, step and row alone", function()
    local given = { word_dropout = 0.5, word_swap = 0.3 }
    local function read(...)
      return (batch_of(fits.rows, given, ...))
    end
    local both, one = read { 4, 9 }, read { 9 }
    for i, id in ipairs(one) do
      assert.are.equal(id, both[#both - #one + i])
    end
    assert.are.same(read { 4, 4 }, read { 4, 4 })
    assert.are_not.same(read({ 1, 2, 3, 4 }, 1), read({ 1, 2, 3, 4 }, 2))
  end)

  it("is trained with, one text for both of R-Drop's readings", function()
    local o = { word_dropout = 0.3, word_swap = 0.1, dropout = 0 }
    local plain = fit(o)
    o.rdrop_alpha = 5
    for i, loss in ipairs((fit(o))) do assert.is_near(plain[i], loss, 1e-5) end
    assert.are_not.same(plain, (fit { dropout = 0 }))
  end)
end)
