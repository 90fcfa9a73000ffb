local check = require "lunula.check"
local tensor = require "lunula.tensor"

describe("check", function()
  local function refuses(message, name, ...)
    local ok, why = pcall(check[name], ...)
    assert.is_false(ok)
    assert.are.equal(message, why)
  end

  it("gives back what is right", function()
    assert.are.equal(3, check.integer(3, "n"))
    assert.are.equal(-0.5, check.number(-0.5, "x", { least = -0.5 }))
    assert.are.equal(math.huge,
      check.number(math.huge, "x", { above = 0, most = math.huge }))
    assert.are.equal(0, check.number(0, "p", check.PROBABILITY))
    assert.are.equal(7, check.integer(7, "n", { least = 2, most = 7 }))
    assert.is_false(check.boolean(false, "b"))
    assert.are.equal("a", check.choice("a", "c", { a = 1 }))
    assert.are.equal("x/y", check.path("x/y", "p"))
    local t = tensor.zeros { 1 }
    assert.are.equal(t, check.tensor(t, "t"))
  end)

  it("says what a number should be", function()
    refuses("n: expected an integer, got 1.5", "integer", 1.5, "n")
    refuses("n: expected an integer of at least 1, got 0", "integer", 0, "n",
      { least = 1 })
    refuses("n: expected an integer from 2 to 9, got 'ten'", "integer", "ten",
      "n", { least = 2, most = 9 })
    refuses("p: expected a number of at least 0 and below 1, got 1", "number",
      1, "p", check.PROBABILITY)
    refuses("x: expected a number above 0 and of at most 1, got 2", "number",
      2, "x", { above = 0, most = 1 })
    refuses("x: expected a number above 0, got 0", "number", 0, "x",
      { above = 0, most = math.huge })
    refuses("x: expected a number from 0 to 0.5, got nil", "number", nil, "x",
      { least = 0, most = 0.5 })
  end)

  it("takes neither NaN nor, unless told, infinity for a number", function()
    for _, range in ipairs { {}, { least = 0 }, { above = 0, below = 9 },
      { least = -1, most = 1 } } do
      for _, odd in ipairs { 0 / 0, -(0 / 0), math.huge, -math.huge } do
        assert.is_false(pcall(check.number, odd, "x", range))
        assert.is_false(pcall(check.integer, odd, "x", range))
      end
    end
    assert.is_false(pcall(check.number, 0 / 0, "x",
      { above = 0, most = math.huge }))
  end)

  it("says what anything else should be", function()
    refuses("f: expected a function, got 'x'", "func", "x", "f")
    refuses("b: expected true or false, got 'no'", "boolean", "no", "b")
    refuses("t: expected a table, got nil", "table", nil, "t")
    refuses("s: expected a string, got 3", "string", 3, "s")
    refuses("p: expected a path, got a table", "path", {}, "p")
    refuses("p: expected a path, got ''", "path", "", "p")
    refuses("c: expected one of a, b, got nil", "choice", nil, "c",
      { b = 1, a = 1 })
    refuses("x: expected a tensor, got a userdata", "tensor", io.stdout, "x")
    refuses("x: expected a tensor, got a table", "tensor", {}, "x")
    refuses("x: expected a tensor, got nil", "tensor", nil, "x")
    refuses("m: expected a classifier, as lunula.classifier makes it, got a "
      .. "table", "classifier", {}, "m")
  end)
end)
