local steady = require "spec.support.steady"

describe("Training for 10,000 steps", function()
  it("takes no more memory at the end than in the middle", function()
    assert.is_true(steady.growth(10000) < 2)
  end)
end)
