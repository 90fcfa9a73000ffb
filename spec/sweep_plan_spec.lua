local file = require "spec.support.file"
local methods = require "lunula.sweep.methods"
local space = require "lunula.sweep.space"
local sweep = require "lunula.sweep"

local function message_of(f, ...)
  local ok, why = pcall(f, ...)
  assert.is_false(ok)
  return why
end

describe("A sweep's choices", function()
  it("are drawn again by the same seed, and others by another", function()
    local s = space.new {
      learning_rate = { low = 1e-5, high = 1e-3, log = true },
      epochs = { 2, 3 }, dropout = { low = 0, high = 0.2 },
    }
    assert.are.same(s:random(20, 1), s:random(20, 1))
    assert.are_not.same(s:random(20, 1), s:random(20, 2))
    local few, many = s:random(5, 1), s:random(20, 1)
    for i, choice in ipairs(few) do assert.are.same(many[i], choice) end
  end)

  it("fill a range evenly, or evenly in its logarithm", function()
    local s = space.new { a = { low = 0, high = 1 },
      b = { low = 1e-4, high = 1, log = true },
      c = { low = 2, high = 5, integer = true } }
    local below, logs, whole = 0, 0, {}
    for _, choice in ipairs(s:random(400, 0)) do
      assert.is_true(choice.a >= 0 and choice.a <= 1)
      assert.is_true(choice.b >= 1e-4 and choice.b <= 1)
      if choice.a < 0.5 then below = below + 1 end
      if choice.b < 1e-2 then logs = logs + 1 end
      whole[choice.c] = (whole[choice.c] or 0) + 1
    end
    assert.is_true(math.abs(below - 200) < 50)
    assert.is_true(math.abs(logs - 200) < 50)
    for c = 2, 5 do assert.is_true(math.abs(whole[c] - 100) < 40) end
    assert.is_nil(whole[6])
  end)

  it("come once each, until there are no more", function()
    local s = space.new { a = { 1, 2, 3 }, b = { "x", "y" } }
    local seen = {}
    for _, choice in ipairs(s:random(100, 0)) do
      local key = space.key(choice)
      assert.is_nil(seen[key])
      seen[key] = true
    end
    assert.are.equal(6, #s:random(100, 0))
    assert.are.equal(3,
      #space.new({ a = { low = 1, high = 3, integer = true } }):random(9, 0))
    local narrow = space.new { a = { low = 1, high = 1.001 } }
    assert.are.equal(2, #narrow:random(9, 0))
  end)

  it("leave an option out where false stands beside other values",
    function()
      local s = space.new { class_weights = { false, "balanced" },
        shuffle = { false, true } }
      local left_out, given = 0, 0
      for i = 1, s.size do
        local choice = s:combination(i)
        assert.is_boolean(choice.shuffle)
        if choice.class_weights == nil then left_out = left_out + 1 end
        if choice.class_weights == "balanced" then given = given + 1 end
      end
      assert.are.same({ 2, 2 }, { left_out, given })
    end)

  it("say what is wrong with them", function()
    for _, case in ipairs {
      { {}, "choices: there are none" },
      { { epochs = 3 }, "choices: epochs: expected a list of values or a "
        .. "range { low =, high = }, got 3" },
      { { epochs = {} }, "choices: epochs: expected a list of values or a "
        .. "range { low =, high = }, got an empty table" },
      { { epochs = { 2, 2 } }, "choices: epochs: 2 comes twice" },
      { { epochs = { 2, n = 3 } }, "choices: epochs: a list with a field 'n'" },
      { { epochs = { { {} } } }, "choices: epochs: expected a number, a "
        .. "string, a boolean or a list of strings, got a table" },
      { { epochs = { 1 / 0 } }, "choices: epochs: expected a number, got inf" },
      { { x = { low = 1 } }, "choices: x: high: expected a number above 1, "
        .. "got nil" },
      { { x = { low = 2, high = 1 } }, "choices: x: high: expected a number "
        .. "above 2, got 1" },
      { { x = { low = 0, high = 1, log = true } }, "choices: x: low: expected "
        .. "a number above 0, got 0" },
      { { x = { low = 0, high = 1, lgo = true } }, "choices: x: unknown option "
        .. "'lgo'; known: high, integer, log, low" },
    } do
      assert.are.equal("sweep: " .. case[2], message_of(space.new, case[1]))
    end
  end)
end)

describe("Successive halving", function()
  local function rungs(trials, given)
    local list = {}
    for i, rung in ipairs(methods.rungs(trials,
      methods.check_halving(given))) do
      list[i] = { rung.runs, rung.budget }
    end
    return list
  end

  it("gives the best one in eta eta times as much", function()
    assert.are.same({ { 27, 1 }, { 9, 3 }, { 3, 9 } }, rungs(27))
    assert.are.same({ { 20, 1 }, { 6, 3 }, { 2, 9 } }, rungs(20))
    assert.are.same({ { 8, 25 }, { 4, 50 }, { 2, 100 }, { 1, 200 } },
      rungs(8, { resource = "max_steps", min = 20, max = 200, eta = 2 }))
  end)

  it("ends at the most that there is, whatever is least", function()
    assert.are.same({ { 9, 1 }, { 3, 3 }, { 1, 10 } }, rungs(9, { max = 10 }))
    assert.are.same({ { 5, 4 } }, rungs(5, { min = 2, max = 4 }))
  end)

  it("gives one that is left alone all at once", function()
    assert.are.same({ { 4, 1 }, { 1, 27 } }, rungs(4, { max = 27 }))
    assert.are.same({ { 1, 9 } }, rungs(1))
  end)

  it("says what is wrong with its limits", function()
    assert.are.equal("sweep: halving: eta: expected a number of at least 2, "
      .. "got 1", message_of(methods.check_halving, { eta = 1 }))
    assert.are.equal("sweep: halving: min: expected an integer of at least 1, "
      .. "got nil",
      message_of(methods.check_halving, { resource = "max_steps" }))
    assert.are.equal("sweep: halving: max: expected an integer of at least 4, "
      .. "got 3", message_of(methods.check_halving, { min = 4, max = 3 }))
  end)
end)

describe("A sweep's file", function()
  local path

  before_each(function() path = os.tmpname() end)
  after_each(function() os.remove(path) end)

  local function read(text)
    file.write(path, text)
    return sweep.read(path)
  end

  it("is Lua that returns a table", function()
    assert.are.same({ choices = { epochs = { 2, 3 }, x = { low = 2e-5 } } },
      read [[
        local base = 1e-5
        local list = {}
        for i = 2, 3 do list[#list + 1] = i end
        return { choices = { epochs = list, x = { low = 2 * base } } }
      ]])
  end)

  it("can do nothing else", function()
    for _, text in ipairs {
      "os.execute 'true'", "io.open('x', 'w')", "return { require 'os' }",
      "return { _G.x }", "return { getmetatable('').__index.rep }",
      "return { ('x'):rep(10) }", "return { load '' }", "print(1)",
      "return { string.format('x') }",
    } do
      assert.matches("attempt to", message_of(read, text))
    end
    read "a_global_of_a_sweep = 1 return {}"
    assert.is_nil(rawget(_G, "a_global_of_a_sweep"))
  end)

  it("ends, whatever it tries", function()
    for _, text in ipairs {
      "while true do end", "repeat until false",
      "local function f() return f() end return f()",
      "for i = 1, 1e18 do end",
    } do
      assert.are.equal(path .. ": runs for too long: it should only return a "
        .. "table", message_of(read, text))
    end
    for _, text in ipairs {
      "local s = 'x' while true do s = s .. s end",
      "local t = {} while true do t = { t, {}, {}, {}, {}, {}, {} } end",
    } do
      assert.are.equal(path .. ": takes too much memory: it should only "
        .. "return a table", message_of(read, text))
    end
    assert.is_not_nil(
      message_of(read, "local function f() return 1 + f() end return f()"))
  end)

  it("leaves everything as it was", function()
    local hook = function() end
    debug.sethook(hook, "", 1000000)
    pcall(read, "while true do end")
    local now, _, count = debug.gethook()
    debug.sethook()
    assert.are.equal(hook, now)
    assert.are.equal(1000000, count)
    assert.are.equal("xx", ("x"):rep(2))
  end)

  it("says what is wrong, and where", function()
    assert.matches("^" .. path .. ":2: ", message_of(read, "\nretrun {}"))
    assert.matches("^" .. path .. ":1: attempt to ",
      message_of(read, "return { a.b }"))
    assert.are.equal(path .. ": returns a nil, not a table",
      message_of(read, "local x = 1"))
    local compiled = string.dump(function() return {} end)
    assert.is_not_nil(message_of(read, compiled):find(path, 1, true))
    assert.are.equal("/none.lua: No such file or directory",
      message_of(sweep.read, "/none.lua"))
    assert.are.equal(path .. ": more than a megabyte",
      message_of(read, (" "):rep(2 ^ 20 + 1)))
  end)
end)
