local bootstrap = require "lunula.metrics.bootstrap"

describe("The bootstrap", function()
  -- of 900 rows of which 30 % are right
  local right = {}
  for i = 1, 900 do right[i] = i % 10 < 3 and 1 or 0 end

  it("finds the interval that the binomial distribution has", function()
    local found = bootstrap.mean(right)
    local half = 1.96 * math.sqrt(0.3 * 0.7 / 900)
    assert.is_near(0.3, found.mean, 1e-12)
    assert.is_near(0.3 - half, found.low, 0.003)
    assert.is_near(0.3 + half, found.high, 0.003)
  end)

  it("is the same for the same seed, and another for another", function()
    local first = bootstrap.mean(right, { seed = 1 })
    assert.are.same(first, bootstrap.mean(right, { seed = 1 }))
    assert.are_not.same(first, bootstrap.mean(right, { seed = 2 }))
  end)

  it("narrows with less confidence", function()
    local wide, narrow = bootstrap.mean(right),
      bootstrap.mean(right, { confidence = 0.5 })
    assert.is_true(wide.low < narrow.low and narrow.high < wide.high)
    assert.is_near(0.6745 / 1.96, (narrow.high - narrow.low)
      / (wide.high - wide.low), 0.03)
  end)

  it("pairs two systems row by row", function()
    local better = {}
    for i, value in ipairs(right) do better[i] = i % 30 == 9 and 1 or value end
    local gain = bootstrap.difference(better, right)
    assert.is_near(1 / 30, gain.mean, 1e-12)
    -- unpaired, the interval would be 0.042 wide to each side
    assert.is_true(gain.low > 0.02 and gain.high < 0.05)
    local none = bootstrap.difference(right, right)
    assert.are.same({ mean = 0, low = 0, high = 0 }, none)
  end)

  it("of one row is that row", function()
    assert.are.same({ mean = 1, low = 1, high = 1 }, bootstrap.mean { 1 })
  end)

  it("refuses what has no mean", function()
    for _, case in ipairs {
      { { {} }, "bootstrap: values: no values" },
      { { { 1, 0 / 0 } }, "bootstrap: values: 2: expected a number, got "
        .. tostring(0 / 0) },
      { { { 1 }, { confidence = 1 } }, "bootstrap: confidence: expected a "
        .. "number above 0 and below 1, got 1" },
      { { { 1 }, { resamples = 0 } }, "bootstrap: resamples: expected an "
        .. "integer of at least 1, got 0" },
    } do
      assert.has_error(function()
        bootstrap.mean(case[1][1], case[1][2])
      end, case[2])
    end
    assert.has_error(function() bootstrap.difference({ 1 }, { 1, 0 }) end,
      "bootstrap: 1 values and 2: expected the same rows")
    for _, bad in ipairs { false, "1", 0 / 0 } do
      local ok, why = pcall(bootstrap.of, 2, function() return bad end)
      assert.is_false(ok)
      assert.matches("^bootstrap: statistic: expected a number, got ", why)
    end
  end)
end)
