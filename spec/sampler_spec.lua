local core = require "lunula.core"
local sampler = require "lunula.sampler"

describe("sampler.order", function()
  it("sees every row once", function()
    local seen = {}
    for _, row in ipairs(sampler.order(1000, { seed = 1 })) do
      assert.is_nil(seen[row])
      seen[row] = true
    end
    assert.are.equal(1000, #seen)
  end)

  it("is the same for the same seed and epoch, else another", function()
    local a = sampler.order(100, { seed = 1, epoch = 2 })
    assert.are.same(a, sampler.order(100, { seed = 1, epoch = 2 }))
    assert.are_not.same(a, sampler.order(100, { seed = 1, epoch = 3 }))
    assert.are_not.same(a, sampler.order(100, { seed = 2, epoch = 2 }))
  end)

  it("keeps the order when it is not to shuffle", function()
    assert.are.same({ 1, 2, 3 }, sampler.order(3, { shuffle = false }))
  end)

  it("says what is wrong with a bad number of rows", function()
    assert.has_error(function() sampler.order(0) end,
      "sampler.order: n: expected an integer of at least 1, got 0")
  end)
end)

describe("sampler.batches", function()
  local N = 1003
  local lengths, rng = {}, core.rng(3)
  for i = 1, N do lengths[i] = 2 + rng:below(60) end

  local function draw(given)
    given.lengths = lengths
    return sampler.batches(N, given)
  end

  local function joined(list)
    local rows = {}
    for _, batch in ipairs(list) do
      for _, row in ipairs(batch) do rows[#rows + 1] = row end
    end
    return rows
  end

  local function tokens_of(batch)
    local sum = 0
    for _, row in ipairs(batch) do sum = sum + lengths[row] end
    return sum
  end

  -- how much longer the longest text of a batch is than the mean of it
  local function padding(list)
    local padded, real = 0, 0
    for _, batch in ipairs(list) do
      local longest = 0
      for _, row in ipairs(batch) do
        longest = math.max(longest, lengths[row])
      end
      padded, real = padded + longest * #batch, real + tokens_of(batch)
    end
    return padded / real
  end

  local WAYS = {
    { batch_size = 16 }, { batch_tokens = 400 },
    { batch_size = 16, group_by_length = true },
    { batch_tokens = 400, group_by_length = true },
  }

  it("sees every row once, whatever a batch is", function()
    for _, way in ipairs(WAYS) do
      local rows = joined(draw(way))
      table.sort(rows)
      assert.are.equal(N, #rows)
      for i, row in ipairs(rows) do assert.are.equal(i, row) end
    end
  end)

  it("is the same for the same seed and epoch, else another", function()
    for _, way in ipairs(WAYS) do
      local function of(seed, epoch)
        way.seed, way.epoch = seed, epoch
        return draw(way)
      end
      local first = of(1, 1)
      assert.are.same(first, of(1, 1))
      assert.are_not.same(first, of(1, 2))
      assert.are_not.same(first, of(2, 1))
    end
  end)

  it("cuts the order of sampler.order", function()
    local list = draw { batch_size = 16, seed = 5, epoch = 2 }
    assert.are.same(sampler.order(N, { seed = 5, epoch = 2 }), joined(list))
    assert.are.equal(63, #list)
    assert.are.equal(16, #list[62])
    assert.are.equal(N % 16, #list[63])
  end)

  it("has batches of 32 rows unless told", function()
    assert.are.equal(32, #draw({})[1])
  end)

  it("fills a budget of tokens, and never exceeds it", function()
    local order = draw { batch_tokens = 400, shuffle = false }
    for i, batch in ipairs(order) do
      assert.is_true(tokens_of(batch) <= 400)
      local following = order[i + 1] and lengths[order[i + 1][1]]
      if following then
        assert.is_true(tokens_of(batch) + following > 400)
      end
    end
  end)

  it("gives a text that exceeds the budget a batch of its own", function()
    assert.are.same({ { 1 }, { 2 }, { 3, 4 } },
      sampler.batches(4, { batch_tokens = 10, shuffle = false,
        lengths = { 5, 30, 5, 5 } }))
  end)

  it("puts rows of like length together, and shuffles the batches", function()
    local list = draw { batch_size = 16, group_by_length = true, seed = 1 }
    assert.is_true(padding(draw { batch_size = 16, seed = 1 }) > 1.5)
    assert.is_true(padding(list) < 1.2)
    local falls = 0
    for i = 2, #list do
      if tokens_of(list[i]) / #list[i] < tokens_of(list[i - 1])
        / #list[i - 1] then falls = falls + 1 end
    end
    assert.is_true(falls > 15 and falls < #list - 15, falls .. " falls")
  end)

  it("never sorts all rows: the same rows do not meet in each epoch",
  function()
    local function companions(epoch)
      for _, batch in ipairs(draw { batch_size = 16, group_by_length = true,
        epoch = epoch }) do
        table.sort(batch)
        for _, row in ipairs(batch) do
          if row == 7 then return batch end
        end
      end
    end
    assert.are_not.same(companions(1), companions(2))
  end)

  it("puts the longest rows first, those of one length in their order",
  function()
    assert.are.same({ 2, 4, 1, 5, 3 }, sampler.by_length { 3, 9, 1, 9, 3 })
    assert.are.same({}, sampler.by_length {})
  end)

  it("cuts what is only read by rows and by tokens", function()
    local cut = sampler.cut_to_read({ 1, 2, 3, 4, 5 }, 2,
      { 100, 60, 4, 4, 4 })
    assert.are.same({ { 1 }, { 2, 3 }, { 4, 5 } }, cut)
  end)

  it("says what is wrong", function()
    local function refuses(message, given)
      assert.has_error(function() sampler.batches(N, given) end,
        "sampler.batches: " .. message)
    end
    refuses("batch_tokens: expected an integer of at least 2, got 1",
      { batch_tokens = 1, lengths = lengths })
    refuses("give batch_size or batch_tokens, not both",
      { batch_tokens = 100, batch_size = 2, lengths = lengths })
    refuses("group_by_length shuffles: shuffle = false excludes it",
      { group_by_length = true, shuffle = false, lengths = lengths })
    assert.has_error(function() sampler.batches(2.5) end,
      "sampler.batches: n: expected an integer of at least 1, got 2.5")
  end)
end)
