local interpreter = require "spec.support.interpreter"
local shell = require "lunula.shell"
local tiny = require "spec.support.tiny"

-- the two programs, word for word as the documentation has them
local function program(name)
  local file = assert(io.open("spec/fixtures/programs/" .. name))
  local text = file:read("*a")
  file:close()
  return text
end

local BEFORE_LOOP = [[
local lunula  = require "lunula"
local dir     = "all-MiniLM-L6-v2"
local reviews = lunula.data.read("reviews.csv", { text = "sentence" })
local batches = lunula.batches(reviews, { batch_size = 8, seed = 1 })
]]

local function write(path, text)
  local file = assert(io.open(path, "wb"))
  assert(file:write(text))
  file:close()
end

local function reviews_csv(n)
  local lines = { "sentence,label" }
  for _, row in ipairs(tiny.reviews(n)) do
    lines[#lines + 1] = ('"%s",%s'):format(row.text, row.label)
  end
  return table.concat(lines, "\n") .. "\n"
end

describe("The documented programs", function()
  local dir, checkout

  setup(function()
    dir = tiny.temporary()
    checkout = shell.run({ "pwd" }):gsub("\n", "")
    tiny.write_encoder(dir .. "/all-MiniLM-L6-v2")
    write(dir .. "/reviews.csv", reviews_csv(60))
  end)

  teardown(function() tiny.remove(dir) end)

  -- in the folder, as a user's program; what it writes, and its exit status
  local function run(text)
    write(dir .. "/program.lua", text)
    local lua = checkout .. "/lua/"
    return shell.run { "env", "-C", dir,
      ("LUA_PATH=%s?.lua;%s?/init.lua;;"):format(lua, lua),
      ("LUA_CPATH=%s/?.so;;"):format(checkout), interpreter,
      "program.lua" }
  end

  it("train, judge, save and ask a model", function()
    local said, status, complaint = run(program "train.lua.txt")
    assert.are.equal("", complaint)
    assert.are.equal(0, status)
    assert.is_truthy(said:find("accuracy", 1, true))
    assert.is_truthy(said:find("\nnegative\n$") or said:find("\npositive\n$"))
    local again = run [[print(#require "lunula".classifier("my-model").labels)]]
    assert.are.equal("2\n", again)
  end)

  it("train in a loop of one's own", function()
    local _, status, complaint = run(BEFORE_LOOP .. program "loop.lua.txt")
    assert.are.equal("", complaint)
    assert.are.equal(0, status)
  end)

  it("learn in that loop, given epochs and a higher learning rate", function()
    local loop = program("loop.lua.txt"):gsub("5e%-5", "1e-2")
      :gsub("for batch in batches do", [[
for epoch = 1, 10 do
for batch in lunula.batches(reviews, { epoch = epoch, batch_size = 8 }) do]])
      :gsub("optimizer:step%(%)", "%0; print(loss:item())")
    local said = run(BEFORE_LOOP .. loop .. "end\n")
    local last
    for line in said:gmatch("[^\n]+") do last = tonumber(line) end
    assert.is_true(last < 0.3, said)
  end)
end)

describe("lunula", function()
  local lunula = require "lunula"

  it("has its modules as fields", function()
    for _, name in ipairs { "baseline", "data", "encoder", "hub", "metrics",
        "nn", "optim", "schedule", "tensor", "tokenizer" } do
      assert.are.equal(require("lunula." .. name), lunula[name])
    end
    assert.is_nil(lunula.nothing)
    assert.are.equal("string", type(lunula.version))
  end)

  it("sets and tells the number of threads", function()
    local before = lunula.threads()
    assert.are.equal(2, lunula.threads(2))
    assert.are.equal(2, lunula.threads())
    lunula.threads(before)
  end)

  it("runs what must not be recorded", function()
    local x = lunula.tensor.ones({ 2 }):requires_grad(true)
    assert.is_true((x * 2):requires_grad())
    assert.is_false(lunula.no_grad(function() return x * 2 end)
      :requires_grad())
  end)

  it("loads no module before it is asked for", function()
    local said = shell.run { "env", "LUA_PATH=./lua/?.lua;./lua/?/init.lua;;",
      interpreter, "-e", [[require "lunula"
        local n = 0
        for name in pairs(package.loaded) do
          if name:find "^lunula" then n = n + 1 end
        end
        print(n)]] }
    assert.are.equal("1\n", said)
  end)
end)
