local core = require "lunula.core"
local encoded = require "lunula.encoded"
local tensor = require "lunula.tensor"
local tiny = require "spec.support.tiny"
local tokenizer = require "lunula.tokenizer"

local function ints(values)
  return tensor.from(values, "int32")
end

describe("core.gather", function()
  local ids, types = ints { 10, 11, 12, 13, 14, 15 },
    ints { 0, 0, 1, 0, 1, 1 }
  local offsets = ints { 0, 3, 3, 5, 6 }

  local function gather(rows, its_offsets)
    local a, b, c = core.gather(ids, types, its_offsets or offsets, rows)
    return { a:totable(), b:totable(), c:totable() }
  end

  it("puts rows together in any order, empty and repeated ones too",
  function()
    assert.are.same({ { 15, 10, 11, 12, 15 }, { 1, 0, 0, 1, 1 },
      { 0, 1, 4, 4, 5 } }, gather(ints { 3, 0, 1, 3 }))
  end)

  it("makes an empty batch of no rows", function()
    assert.are.same({ {}, {}, { 0 } }, gather(tensor.zeros({ 0 }, "int32")))
  end)

  it("says which row the set lacks", function()
    assert.has_error(function() gather(ints { 0, 4 }) end,
      "row 4: the set has 4 rows, from 0")
    assert.has_error(function() gather(ints { -1 }) end,
      "row -1: the set has 4 rows, from 0")
    assert.has_error(function()
      gather(ints { 0 }, tensor.zeros({ 0 }, "int32"))
    end, "row 0: the set has 0 rows, from 0")
  end)

  it("never reads outside the tokens", function()
    for _, bad in ipairs { { 0, 7 }, { -1, 3 }, { 3, 2 } } do
      assert.has_error(function() gather(ints { 0 }, ints(bad)) end,
        "row 0: its offsets lie outside the tokens")
    end
  end)

  it("wants int32 rows of numbers", function()
    assert.has_error(function() gather(tensor.from { 0 }) end)
    assert.has_error(function() gather(ints { { 0 }, { 1 } }) end)
    assert.has_error(function()
      core.gather(ids, ints { 0 }, offsets, ints { 0 })
    end)
  end)
end)

describe("encoded rows", function()
  local dir, texts, rows

  setup(function()
    dir = tiny.temporary()
    tiny.write_encoder(dir)
    rows, texts = tiny.reviews(20), {}
    for i, row in ipairs(rows) do texts[i] = row.text end
  end)

  teardown(function() tiny.remove(dir) end)

  it("are batches as the tokenizer makes them", function()
    local of = tokenizer.load(dir)
    local batch, tokens = encoded.new(of, rows, 128, "spec"):batch { 9, 2, 20 }
    local expected = of:encode { texts[9], texts[2], texts[20] }
    for _, name in ipairs { "ids", "types", "offsets" } do
      assert.are.same(expected[name]:totable(), batch[name]:totable())
    end
    assert.are.equal(#expected.ids, tokens)
  end)

  it("know how long they are", function()
    local of = tokenizer.load(dir)
    local lengths = encoded.new(of, rows, 8, "spec").lengths
    assert.are.equal(20, #lengths)
    for i, length in ipairs(lengths) do
      assert.are.equal(#of:encode(texts[i], { max_length = 8 }).ids, length)
    end
  end)

  it("are mapped in their order, whatever the batches", function()
    local tokens = encoded.new(tokenizer.load(dir), rows, 128, "spec")
    for _, size in ipairs { 1, 3, 32 } do
      local lengths = tokens:map(function(batch)
        local ends = batch.offsets:to "float32"
        local n = #ends - 1
        assert.is_true(n <= size)
        return (ends:slice(1, 2) - ends:slice(1, 1, n)):reshape { n, 1 }
      end, 1, size)
      assert.are.same(tokens.lengths, lengths:reshape { 20 }:totable())
    end
  end)
end)
