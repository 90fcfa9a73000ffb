local options = require "lunula.options"

describe("options.check", function()
  local known = { seed = 0, shuffle = true, labels = options.none }

  it("fills in the defaults", function()
    assert.are.same({ seed = 0, shuffle = true },
      options.check(nil, known, "split"))
  end)

  it("keeps what was given, false included", function()
    assert.are.same({ seed = 7, shuffle = false, labels = "x" },
      options.check({ seed = 7, shuffle = false, labels = "x" }, known, "f"))
  end)

  it("names the known options when one is unknown", function()
    assert.has_error(function() options.check({ sed = 1 }, known, "split") end,
      "split: unknown option 'sed'; known: labels, seed, shuffle")
  end)

  it("wants a table", function()
    assert.has_error(function() options.check(3, known, "split") end,
      "split: expected a table of options, got number")
  end)
end)
