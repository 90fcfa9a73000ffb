local interpreter = require "spec.support.interpreter"
local shell = require "lunula.shell"
local support = require "spec.support.run"
local tiny = require "spec.support.tiny"

-- what an example prints, with a tiny model where it takes one
local function run(...)
  local said, status, complaint = shell.run { "env",
    "LUA_PATH=./lua/?.lua;./lua/?/init.lua;;", "LUA_CPATH=./?.so;;",
    interpreter, ... }
  assert.are.equal("", complaint)
  assert.are.equal(0, status)
  return said
end

describe("The FAQ example", function()
  it("answers a question that is in it, and one that it was given", function()
    local said = run("examples/faq.lua", "How can I pay?",
      "spec/fixtures/embedder")
    assert.are.equal("> How can I pay?\n  You can pay by card, by bank "
      .. "transfer, or on delivery.\n  (1.00, as: How can I pay?)\n\n", said)
  end)

  it("answers its own when it was given none", function()
    local said = run("-e", "arg[2] = 'spec/fixtures/embedder'",
      "examples/faq.lua")
    local _, questions = said:gsub("> ", "")
    assert.are.equal(4, questions)
  end)
end)

describe("The example of both ways", function()
  it("compares them on a file's texts", function()
    local dir = tiny.temporary()
    tiny.write_encoder(dir)
    local file = assert(io.open(dir .. "/reviews.csv", "w"))
    file:write("text,label\n")
    for _, row in ipairs(tiny.reviews(100)) do
      file:write(('"%s",%s\n'):format(row.text, row.label))
    end
    file:close()
    local said, status = support.script { "examples/both_ways.lua",
      dir .. "/reviews.csv", dir, "1" }
    tiny.remove(dir)
    assert.are.equal(0, status)
    assert.matches("^70 texts to learn from, 10 to choose the epoch by, 20 "
      .. "for the test\n", said)
    assert.matches("\nbidirectional +%d+%.%d %% %(95 %%: .-\ncausal +%d+%.%d "
      .. "%% .-\nseeing both sides is worth [+-]%d+%.%d points", said)
  end)
end)
