local cjson = require "cjson"
local mcnemar = require "lunula.metrics.mcnemar"
local read = require("spec.support.file").read

local fixture = cjson.decode(read "spec/fixtures/significance.json")

describe("McNemar's exact test", function()
  for _, case in ipairs(fixture.mcnemar) do
    it(("of %d and %d is what SciPy and statsmodels find"):format(case.only_a,
      case.only_b), function()
        assert.is_near(case.p, mcnemar(case.only_a, case.only_b),
          1e-12 * case.p)
      end)
  end

  it("is a probability, the same whichever system is first", function()
    for a = 0, 60 do
      for b = 0, 60 do
        local p = mcnemar(a, b)
        assert.is_true(p > 0 and p <= 1)
        assert.are.equal(p, mcnemar(b, a))
      end
    end
  end)

  it("falls as the split gets more uneven", function()
    for a = 1, 200 do
      assert.is_true(mcnemar(200 + a, 200 - a)
        < mcnemar(199 + a, 201 - a) + 1e-12)
    end
  end)

  it("refuses what are no counts", function()
    assert.has_error(function() mcnemar(-1, 2) end,
      "mcnemar: only_a: expected an integer from 0 to 1099511627776, got -1")
    assert.has_error(function() mcnemar(1, 2.5) end, "mcnemar: only_b: "
      .. "expected an integer from 0 to 1099511627776, got 2.5")
    assert.has_error(function() mcnemar(nil, 2) end,
      "mcnemar: only_a: expected an integer from 0 to 1099511627776, got nil")
  end)
end)
