local bootstrap = require "lunula.metrics.bootstrap"
local cells = require "lunula.metrics.cells"
local cjson = require "cjson"
local metrics = require "lunula.metrics"
local proportion = require "lunula.metrics.proportion"
local read = require("spec.support.file").read

local fixture = cjson.decode(read "spec/fixtures/metrics.json")

local HOW = { resamples = 40, seed = 5 }

local function numbers_of(list, labels)
  local number, numbers = {}, {}
  for i, label in ipairs(labels) do number[label] = i - 1 end
  for i, label in ipairs(list) do numbers[i] = number[label] end
  return numbers
end

local function flags_of(sets, labels)
  local all = {}
  for row, set in ipairs(sets) do
    all[row] = {}
    for i = 1, #labels do all[row][i] = 0 end
    for _, i in ipairs(numbers_of(set, labels)) do all[row][i + 1] = 1 end
  end
  return all
end

local function picked(list, rows)
  local some = {}
  for i, row in ipairs(rows) do some[i] = list[row] end
  return some
end

-- Each score of counted cells, and its interval, is what the report says of
-- the same rows, drawn one by one.
local function agrees(case, report, of_row, k, scores)
  local found, n = bootstrap.cells(of_row, k, scores, HOW), 0
  for name, interval in pairs(found) do
    n = n + 1
    local listed = bootstrap.of(#case.gold, function(rows)
      return report(picked(case.gold, rows),
        picked(case.predicted, rows))[name]
    end, HOW)
    for _, field in ipairs { "mean", "low", "high" } do
      assert.is_near(listed[field], interval[field], 1e-12, name)
    end
  end
  return n
end

describe("Counted cells have the scores of reports, resampled, of", function()
  for _, case in ipairs(fixture.reports) do
    it(case.name, function()
      assert.are.equal(2, agrees(case, function(gold, predicted)
        return metrics.report(gold, predicted, case.labels)
      end, cells.of_classes(numbers_of(case.predicted, case.labels),
        numbers_of(case.gold, case.labels), #case.labels)))
    end)
  end

  for _, case in ipairs(fixture.ordinal) do
    it(case.name, function()
      assert.are.equal(4, agrees(case, function(gold, predicted)
        return metrics.ordinal(gold, predicted, case.labels)
      end, cells.of_ranks(numbers_of(case.predicted, case.labels),
        numbers_of(case.gold, case.labels), #case.labels)))
    end)
  end

  for _, case in ipairs(fixture.multi_label) do
    it("sets: " .. case.name, function()
      assert.are.equal(4, agrees(case, function(gold, predicted)
        return metrics.multi_label(gold, predicted, case.labels)
      end, cells.of_flags(flags_of(case.predicted, case.labels),
        flags_of(case.gold, case.labels))))
    end)
  end

  for _, case in ipairs(fixture.regression) do
    it(case.name, function()
      assert.are.equal(4, agrees(case, metrics.regression,
        cells.of_numbers(case.predicted, case.gold)))
    end)
  end
end)

describe("The interval of a share", function()
  it("is what statsmodels and Wilson's formula say", function()
    for _, case in ipairs(fixture.proportions) do
      local low, high = proportion.interval(case.count, case.n)
      assert.is_near(case.low, low, 1e-12)
      assert.is_near(case.high, high, 1e-12)
    end
  end)

  it("refuses more of them than there are", function()
    assert.has_error(function() proportion.interval(3, 2) end,
      "proportion: count: expected an integer from 0 to 2, got 3")
    assert.has_error(function() proportion.interval(0, 0) end,
      "proportion: n: expected an integer of at least 1, got 0")
  end)
end)
