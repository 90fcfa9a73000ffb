local batches = require "lunula.batches"

local function rows_of(n)
  local rows = {}
  for i = 1, n do
    rows[i] = { text = "text " .. i, label = i % 3 == 0 and "c" or "a" }
  end
  return rows
end

local function gather(iterator)
  local list = {}
  for batch in iterator do list[#list + 1] = batch end
  return list
end

describe("batches", function()
  it("gives every row once, with its class", function()
    local rows, seen = rows_of(10), {}
    for batch in batches(rows, { batch_size = 4, seed = 3 }) do
      for i, class in ipairs(batch.labels:totable()) do
        local row = rows[batch.rows[i]]
        assert.are.equal(row.text, batch.texts[i])
        assert.are.equal(row.label == "c" and 1 or 0, class)
        assert.is_nil(seen[row])
        seen[row] = true
      end
    end
    for _, row in ipairs(rows) do assert.is_true(seen[row]) end
  end)

  it("puts what is left in a last, smaller batch", function()
    local list = gather(batches(rows_of(10), { batch_size = 4 }))
    assert.are.same({ 4, 4, 2 }, { #list[1].rows, #list[2].rows,
      #list[3].rows })
    assert.are.equal("int32", list[3].labels:dtype())
  end)

  it("takes the order of the classes from the labels given", function()
    local list = gather(batches(rows_of(3),
      { shuffle = false, labels = { "c", "b", "a" } }))
    assert.are.same({ 2, 2, 0 }, list[1].labels:totable())
  end)

  it("has another order in another epoch, the same with the same seed",
  function()
    local function first(epoch, seed)
      return batches(rows_of(100), { epoch = epoch, seed = seed })().rows
    end
    assert.are.same(first(1, 5), first(1, 5))
    assert.are_not.same(first(1, 5), first(2, 5))
    assert.are_not.same(first(1, 5), first(1, 6))
  end)

  it("gives pairs where rows have them", function()
    local batch = batches({ { text = "a", text_pair = "b", label = "x" },
      { text = "c", text_pair = "d", label = "y" } }, { shuffle = false })()
    assert.are.same({ "b", "d" }, batch.text_pairs)
    assert.is_nil(batches(rows_of(2))().text_pairs)
  end)

  it("says what is wrong with rows and options", function()
    assert.has_error(function() batches({}) end, "batches: no rows")
    assert.has_error(function() batches({ { text = "a" } }) end,
      "batches: row 1: label: expected a string, got nil")
    assert.has_error(function()
      batches(rows_of(3), { labels = { "a", "b" } })
    end, "batches: row 3: label 'c' is none of the 2 known: a, b")
    assert.has_error(function() batches(rows_of(3), { batch_size = 0 }) end,
      "batches: batch_size: expected an integer of at least 1, got 0")
    assert.has_error(function()
      batches(rows_of(3), { batch_size = 2, batch_tokens = 9 })
    end, "batches: give batch_size or batch_tokens, not both")
    assert.has_error(function() batches(rows_of(3), { batch_tokens = 9 }) end,
      "batches: lengths: expected the tokens of each of 3 rows, got nil")
    assert.has_error(function()
      batches(rows_of(3), { batch_tokens = 9, lengths = { 1, 2 } })
    end, "batches: lengths: expected the tokens of each of 3 rows, "
      .. "got 2 numbers")
    assert.has_error(function() batches(rows_of(2), { labels = "x" }) end,
      "batches: labels: expected a table, got 'x'")
    assert.has_error(function() batches(rows_of(2), { shuffle = "no" }) end,
      "batches: shuffle: expected true or false, got 'no'")
    assert.has_error(function() batches(rows_of(2), { seed = 0.5 }) end,
      "batches: seed: expected an integer, got 0.5")
    assert.has_error(function()
      batches(rows_of(3), { group_by_length = true, lengths = { 1, 2, "x" } })
    end, "batches: lengths: row 3: expected an integer of at least 0, got 'x'")
  end)

  it("are a number of tokens when told", function()
    local list = gather(batches(rows_of(5), { batch_tokens = 10,
      lengths = { 4, 6, 3, 11, 7 }, shuffle = false }))
    assert.are.same({ { 1, 2 }, { 3 }, { 4 }, { 5 } }, { list[1].rows,
      list[2].rows, list[3].rows, list[4].rows })
    assert.are.same({ "text 1", "text 2" }, list[1].texts)
  end)

  it("hold rows of like length when told", function()
    local lengths = {}
    for i = 1, 400 do lengths[i] = i % 20 + 1 end
    for batch in batches(rows_of(400), { batch_size = 5, lengths = lengths,
      group_by_length = true }) do
      local first, last = lengths[batch.rows[1]], lengths[batch.rows[5]]
      assert.is_true(first - last >= 0 and first - last <= 3)
    end
  end)
end)
