local csv = require "lunula.data.csv"
local file = require "spec.support.file"
local files = require("lunula.core").io
local interpreter = require "spec.support.interpreter"
local shell = require "lunula.shell"
local support = require "spec.support.run"
local tiny = require "spec.support.tiny"

local unpack = table.unpack or unpack  -- luacheck: ignore

-- what an example prints, with a tiny model where it takes one
local function command(...)
  local said, status, complaint = shell.run { "env",
    "LUA_PATH=./lua/?.lua;./lua/?/init.lua;;", "LUA_CPATH=./?.so;;", ... }
  assert.are.equal("", complaint)
  assert.are.equal(0, status)
  return said
end

local function run(...) return command(interpreter, ...) end

describe("The FAQ example", function()
  it("answers a question that is in it, and one that it was given", function()
    local said = run("examples/faq.lua", "How can I pay?",
      "spec/fixtures/embedder")
    assert.are.equal("> How can I pay?\n  You can pay by card, by bank "
      .. "transfer, or on delivery.\n  (1.00, as: How can I pay?)\n\n", said)
  end)

  it("answers its own when it was given none", function()
    local said = run("-e", "arg = { [2] = 'spec/fixtures/embedder' } "
      .. "dofile 'examples/faq.lua'")
    local _, questions = said:gsub("> ", "")
    assert.are.equal(4, questions)
  end)
end)

describe("The active learning example", function()
  local dir

  local function write(name, columns, rows)
    local lines = { csv.line(columns) }
    for i, row in ipairs(rows) do
      local fields = {}
      for j, column in ipairs(columns) do fields[j] = row[column] end
      lines[i + 1] = csv.line(fields)
    end
    files.write(dir .. "/" .. name, { table.concat(lines, "\n"), "\n" })
  end

  before_each(function()
    dir = tiny.temporary()
    tiny.write_encoder(dir .. "/encoder")
    local rows = tiny.reviews(60)
    write("labelled.csv", { "text", "label" }, { unpack(rows, 1, 8) })
    write("pool.csv", { "text", "label" }, rows)
    write("texts.csv", { "text" }, rows)
  end)

  after_each(function() tiny.remove(dir) end)

  it("simulates what more labels are worth", function()
    local said = command("EPOCHS=1", "ROUNDS=2", "COUNT=3",
      interpreter, "examples/active.lua", dir .. "/labelled.csv",
      dir .. "/pool.csv", dir .. "/pool.csv", dir .. "/encoder")
    local seen = {}
    for count in said:gmatch " *(%d+) labels: accuracy %d+%.%d+ %%\n" do
      seen[#seen + 1] = tonumber(count)
    end
    assert.are.same({ 8, 11, 14 }, seen)
  end)

  it("asks, and keeps each answer at once", function()
    files.write(dir .. "/answers", { "2\nmixed\n\n" })
    local said = command("sh", "-c", ("EPOCHS=1 exec %s examples/active.lua "
      .. "%s/labelled.csv %s/texts.csv '' %s/encoder <%s/answers"):format(
      interpreter, dir, dir, dir, dir))
    assert.matches("1 negative   2 positive", said)
    assert.matches("saved .*labelled.csv\n$", said)
    local lines = file.read(dir .. "/labelled.csv")
    assert.matches("\n[^\n]+,positive\n[^\n]+,mixed\n$", lines)
  end)
end)

describe("The example of both ways", function()
  it("compares them on a file's texts", function()
    local dir, lines = tiny.temporary(), { "text,label" }
    tiny.write_encoder(dir)
    for i, row in ipairs(tiny.reviews(100)) do
      lines[i + 1] = ('"%s",%s'):format(row.text, row.label)
    end
    files.write(dir .. "/reviews.csv", { table.concat(lines, "\n"), "\n" })
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
