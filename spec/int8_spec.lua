local core = require "lunula.core"
local int8 = require "spec.support.int8"
local run = require "spec.support.run"
local tensor = require "lunula.tensor"

local LEVELS = { "scalar", "neon", "avx2", "avxvnni", "avx512",
  "avx512vnni" }

local function operands(rows, columns, depth)
  local x = tensor.normal({ rows, depth }, { seed = 1 })
  local w = tensor.normal({ columns, depth }, { seed = 2 })
  return core.int8.quantise(x), core.int8.quantise_weight(w)
end

local function product(x, w, rows, columns, finish)
  local c = tensor.zeros { rows, columns }
  core.int8.product(c, x, w, finish)
  return c:totable()
end

describe("products in 8 bits", function()
  it("are exact, and as far off the floats as stated", function()
    assert.is_nil(int8.wrong())
  end)

  for _, level in ipairs(LEVELS) do
    it("are so on " .. level, function()
      local said, errors = run.wrong_on("int8", level)
      if said then assert.are.equal("nothing", said, errors) end
    end)
  end

  describe("over the pool", function()
    local threads
    before_each(function() threads = core.threads() end)
    after_each(function() core.threads(threads) end)

    it("are the same for any number of threads", function()
      for _, rows in ipairs { 1, 20, 97 } do
        local x, w = operands(rows, 330, 400)
        core.threads(1)
        local right = product(x, w, rows, 330)
        local finished = (tensor.from(right) + 1):totable()
        for n = 2, 4 do
          core.threads(n)
          assert.are.same(right, product(x, w, rows, 330))
          for _, finish in ipairs { "piece", "whole" } do
            assert.are.same(finished, product(x, w, rows, 330, finish))
          end
        end
      end
    end)

    it("are finished once, and when x is done with", function()
      core.threads(2)
      for _, rows in ipairs { 1, 8, 47, 48, 49, 97, 130 } do
        local x, w = operands(rows, 330, 400)
        local plain = tensor.from(product(x, w, rows, 330))
        local right = (plain + 1):totable()
        for _, finish in ipairs { "piece", "whole" } do
          assert.are.same(right, product(x, w, rows, 330, finish))
        end
      end
    end)
  end)

  it("of nothing are the bias", function()
    local x = core.int8.quantise(tensor.zeros { 3, 5 })
    local w = core.int8.quantise_weight(tensor.ones { 2, 5 })
    w.bias = { 0.5, -2 }
    assert.are.same({ { 0.5, -2 }, { 0.5, -2 }, { 0.5, -2 } },
      product(x, w, 3, 2))
    x = core.int8.quantise(tensor.zeros { 0, 5 })
    assert.are.same({}, product(x, w, 0, 2))
  end)

  it("raise for what does not fit", function()
    local x, w = operands(3, 2, 5)
    local c = tensor.zeros { 3, 2 }
    local _, deeper = operands(3, 2, 9)
    local function complaint(...)
      local ok, why = pcall(core.int8.product, ...)
      assert.is_false(ok)
      return why
    end
    assert.matches("expected the depth of the rows", complaint(c, x, deeper))
    assert.matches("expected other bytes", complaint(c, w, x))
    assert.matches("expected other bytes",
      complaint(tensor.zeros { 4, 2 }, x, w))
    assert.matches("expected more numbers",
      complaint(tensor.zeros { 3, 3 }, x, w))
    assert.matches("invalid option", complaint(c, x, w, "all"))
  end)
end)
