local killed = require "spec.support.killed"

describe("A training that is killed 100 times", function()
  it("never leaves a file that can't be read, and ends as if it had not been",
    function()
      assert.are.equal("100 kills", killed.often(100))
    end)
end)
