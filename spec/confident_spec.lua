local confident = require "lunula.confident"
local difference = require("spec.support.rows").difference
local file = require "spec.support.file"
local json = require "lunula.json"
local tensor = require "lunula.tensor"

-- the rows found, from 0, as they are ranked
local function found_rows(found)
  local rows = {}
  for i, issue in ipairs(found.issues) do rows[i] = issue.row - 1 end
  return rows
end

describe("Confident learning", function()
  local cases = json.values(file.read "spec/fixtures/confident.json",
    "confident.json").cases

  it("has cleanlab's thresholds and confident joint", function()
    for _, case in ipairs(cases) do
      local found = confident.find(case.labels, case.p)
      assert.is_true(difference({ case.thresholds }, { found.thresholds })
        < 1e-12)
      assert.are.same(case.joint, found.joint)
    end
  end)

  it("finds cleanlab's label issues, in its order", function()
    local compared = 0
    for _, case in ipairs(cases) do
      for _, want in ipairs(case.found) do
        local found = confident.find(case.labels, case.p, {
          filter = want.filter, rank = want.rank, least = want.least })
        assert.are.same(want.rows, found_rows(found))
        compared = compared + #want.rows
      end
    end
    assert.is_true(compared > 2000)
  end)

  -- "a" is sure of itself; the fifth row is sure that it is "b"
  local ROWS, SURE = {}, {}
  for i = 1, 8 do
    ROWS[i] = { text = "text " .. i, label = i <= 5 and "a" or "b" }
    SURE[i] = i <= 4 and { 0.875, 0.125 } or { 0.125, 0.875 }
  end

  it("says of an issue what was given, what is suggested and how sure it is",
    function()
      local found = confident.find(ROWS, tensor.from(SURE))
      assert.are.same({ { row = 5, given = "a", suggested = "b",
        self_confidence = 0.125, probability = 0.875,
        normalized_margin = 0.125 } }, found.issues)
      assert.are.same({ { given = "a", suggested = "b", count = 1,
        share = 0.2 } }, found.pairs)
      assert.are.same({ { 4, 1 }, { 0, 3 } }, found.joint)
      assert.are.same({ "a", "b" }, found.labels)
    end)

  it("takes labels in another order than sorted", function()
    local turned = {}
    for i, p in ipairs(SURE) do turned[i] = { p[2], p[1] } end
    local found = confident.find(ROWS, turned, { labels = { "b", "a" } })
    assert.are.same({ 4 }, found_rows(found))
    assert.are.equal("b", found.issues[1].suggested)
  end)

  it("never counts a class that no row has", function()
    local wide = {}
    for i, p in ipairs(SURE) do wide[i] = { p[1], p[2], 0 } end
    wide[1] = { 0.2, 0.2, 0.6 }
    local found = confident.find(ROWS, wide, { labels = { "a", "b", "c" } })
    assert.are.equal(2, found.thresholds[3])
    assert.are.equal(0, found.joint[1][3] + found.joint[2][3])
    assert.are.same({ 4 }, found_rows(found))
  end)

  it("finds nothing where there is one class", function()
    assert.are.same({}, confident.find({ 0, 0 }, { { 1 }, { 1 } }).issues)
    assert.are.same({}, confident.find({ 0, 0, 0 },
      { { 0.1, 0.9 }, { 0.2, 0.8 }, { 0.3, 0.7 } }).issues)
  end)

  it("ranks equal rows as they stand", function()
    local classes, p = {}, {}
    for i = 1, 12 do
      classes[i] = i % 2
      p[i] = i % 2 == 0 and { 0.9, 0.1 } or { 0.1, 0.9 }
    end
    for i = 13, 16 do
      classes[i] = 0
      p[i] = { 0.1, 0.9 }
    end
    assert.are.same({ 12, 13, 14, 15 }, found_rows(confident.find(classes, p)))
  end)

  it("leaves each class the rows that it is told to", function()
    local classes, p = { 0, 0, 1, 1, 1 }, { { 0.1, 0.9 }, { 0.9, 0.1 },
      { 0.2, 0.8 }, { 0.1, 0.9 }, { 0.2, 0.8 } }
    assert.are.same({ 0 }, found_rows(confident.find(classes, p)))
    assert.are.same({}, found_rows(confident.find(classes, p, { least = 2 })))
  end)

  it("says what is wrong with what it is given", function()
    local nan = 0 / 0
    for message, f in pairs {
      ["confident: expected as many probabilities as rows, and one at least, "
        .. "got 0 and 0"] = function() confident.find({}, {}) end,
      ["confident: expected as many probabilities as rows, and one at least, "
        .. "got 1 and 2"] = function() confident.find({ 0, 1 }, { { 1 } }) end,
      ["confident: row 2: class: expected an integer from 0 to 1, got 2"] =
        function() confident.find({ 0, 2 }, { { 1, 0 }, { 0, 1 } }) end,
      ["confident: probabilities: row 2: expected 2 numbers, got 1"] =
        function() confident.find({ 0, 1 }, { { 1, 0 }, { 1 } }) end,
      ["confident: probabilities: row 1: class 1: expected a number from 0 to "
        .. "1, got 1.5"] = function()
          confident.find({ 0, 1 }, { { 0, 1.5 }, { 1, 0 } })
        end,
      ["confident: probabilities: row 1: class 0: expected a number from 0 to "
        .. "1, got " .. tostring(nan)] = function()
          confident.find({ 0, 1 }, { { nan, 0.5 }, { 1, 0 } })
        end,
      ["confident: filter: expected one of both, confident_learning, "
        .. "prune_by_class, prune_by_noise_rate, got 'all'"] = function()
          confident.find(ROWS, SURE, { filter = "all" })
        end,
      ["confident: probabilities of 2 classes, labels of 1"] = function()
        confident.find(ROWS, SURE, { labels = { "a" } })
      end,
    } do
      assert.has_error(f, message)
    end
  end)
end)
