local classifier = require "lunula.classifier"
local core = require "lunula.core"
local run = require "spec.support.run"
local tiny = require "spec.support.tiny"

describe("The game example", function()
  it("answers all that was said, in its order, and goes on meanwhile",
    function()
      local dir, said, expected = tiny.temporary(), {}, {}
      tiny.write_encoder(dir)
      local model = classifier(dir, { labels = { "negative", "positive" } })
      model:save(dir .. "/model")
      for i, row in ipairs(tiny.reviews(40)) do
        said[i] = row.text
        expected[i] = model:predict(row.text).label .. " " .. row.text
      end
      core.io.write(dir .. "/said.txt", { table.concat(said, "\n") })
      local text, code, complaint = run.script { "examples/game.lua",
        dir .. "/model", dir .. "/said.txt" }
      tiny.remove(dir)
      assert.are.equal("", complaint)
      assert.are.equal(0, code)
      local found = {}
      for label, line in text:gmatch "frame %d+: (%S+) [^:]*: ([^\n]*)" do
        found[#found + 1] = label .. " " .. line
      end
      assert.are.same(expected, found)
      assert.is_truthy(text:find "\n40 answers in %d+ frames; ")
    end)
end)
