local bootstrap = require "lunula.metrics.bootstrap"
local cjson = require "cjson"
local core = require "lunula.core"
local read = require("spec.support.file").read
local tensor = require "lunula.tensor"

local fixture = cjson.decode(read "spec/fixtures/significance.json")

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
    assert.are.same({ mean = 0, low = 0, high = 0, p = 1 }, none)
  end)

  -- the statistic of each resample, the rows themselves last
  local function resamples_of(n, statistic, given)
    local values = {}
    bootstrap.of(n, function(numbers)
      values[#values + 1] = statistic(numbers)
      return values[#values]
    end, given)
    values[#values + 1] = table.remove(values, 1)
    return values
  end

  local function mean_of(values)
    return function(numbers)
      local sum = 0
      for _, i in ipairs(numbers) do sum = sum + values[i] end
      return sum / #numbers
    end
  end

  for _, case in ipairs(fixture.bootstrap) do
    it("has the intervals that SciPy takes of " .. case.name, function()
      for _, expected in ipairs(case.intervals) do
        local low, high = bootstrap.interval(case.distribution,
          expected.confidence)
        assert.is_near(expected.low, low, 1e-12)
        assert.is_near(expected.high, high, 1e-12)
      end
    end)
  end

  it("draws the same rows whether it counts them or lists them", function()
    local values, how = {}, { resamples = 50, seed = 3 }
    for i = 1, 40 do values[i] = math.sin(i) end
    local listed = resamples_of(#values, mean_of(values), how)
    table.remove(listed)
    local low, high = bootstrap.interval(listed)
    local found = bootstrap.mean(values, how)
    assert.is_near(low, found.low, 1e-14)
    assert.is_near(high, found.high, 1e-14)
  end)

  it("has a p-value, the share of twice the difference and more", function()
    local a, b, gains = {}, {}, {}
    for i = 1, 200 do
      a[i], b[i] = i % 10 < 8 and 1 or 0, i % 7 < 5 and 1 or 0
      gains[i] = a[i] - b[i]
    end
    local found = resamples_of(200, mean_of(gains), { resamples = 500 })
    local gain, n = table.remove(found), 0
    for _, value in ipairs(found) do
      if value > 2 * gain + 1e-9 then n = n + 1 end
    end
    assert.is_true(n > 0)
    local one = bootstrap.difference(a, b, { resamples = 500 })
    assert.are.equal(n / 500, one.p)
    assert.are.equal(one.p, bootstrap.difference(b, a, { resamples = 500 }).p)
  end)

  it("takes statistics of counts", function()
    local cells = { 1, 3, 3, 2, 3, 1, 3, 3 }
    local function third(counts) return counts[3] / #cells end
    local found = bootstrap.cells(cells, 3, { third = third,
      all = function(counts) return counts[1] + counts[2] + counts[3] end })
    assert.are.same({ mean = 8, low = 8, high = 8 }, found.all)
    local flags = {}
    for i, cell in ipairs(cells) do flags[i] = cell == 3 and 1 or 0 end
    assert.are.same(bootstrap.mean(flags), found.third)
  end)

  it("refuses cells that there are not", function()
    local function none() return 0 end
    for message, cells in pairs {
      ["bootstrap: cells: no rows"] = {},
      ["bootstrap: cells: 2: expected an integer from 1 to 2, got 3"] =
        { 1, 3 },
    } do
      assert.has_error(function()
        bootstrap.cells(cells, 2, { none = none })
      end, message)
    end
    local rng = core.rng(1)
    for _, case in ipairs {
      { { { 0, 2 }, "int32" }, 2, "no such cell" },
      { { { 0, -1 }, "int32" }, 2, "no such cell" },
      { { { 0, 1 }, "float32" }, 2, "int32" },
      { { { { 0 } }, "int32" }, 2, "one dimension" },
      { { { 0 }, "int32" }, 0, "must be positive" },
    } do
      local ok, why = pcall(rng.resample, rng,
        tensor.from(case[1][1], case[1][2]), case[2])
      assert.is_false(ok)
      assert.matches(case[3], why, 1, true)
    end
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
