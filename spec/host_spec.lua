local host = require "spec.support.host"
local run = require "spec.support.run"
local shell = require "lunula.shell"

describe("A host", function()
  local program = host.compile()
  if not program then
    pending("needs a C compiler and Lua's header files")
    return
  end

  teardown(function() os.remove(program) end)

  local function hosted(how, code)
    return host.run(program, how, code)
  end

  it("has functions of any name", function()
    local line = "print(require 'lunula.core'.tensor.from({ 1 }) + 1)"
    local said = "tensor float32 [1] {2}\n"
    assert.are.equal(said .. said .. "alive\n", hosted("upward", line))
  end)

  it("closes a state that was told to catch Ctrl-C, and gets one", function()
    assert.are.equal("alive\n", hosted("closed", [[
      require "lunula.core".system.catch_interrupt(true)]]))
  end)

  it("has another rounding mode, and gets the same bits from all threads",
    function()
      local said = hosted("upward", [[
        local core = require "lunula.core"
        local a, b = core.ops.normal({ 900, 100 }), core.ops.normal({ 100, 90 })
        local found = {}
        for i = 1, 20 do
          core.threads(i % 2 == 0 and 1 or 4)
          found[("%a"):format(a:matmul(b):sum():item())] = true
        end
        local n = 0
        for _ in pairs(found) do n = n + 1 end
        print(n)]])
      assert.are.equal("1\n1\nalive\n", said)
    end)

  local WORK = [[
    local core = require "lunula.core"
    core.threads(3)
    local a, b = core.ops.normal({ 900, 40 }), core.ops.normal({ 40, 30 })
    local expected = a:matmul(b):sum():item()
    for _ = 1, 20 do
      a:requires_grad(true)
      local product = a:matmul(b):sum()
      product:backward()
      assert(product:item() == expected)
    end]]

  it("has states in several threads", function()
    assert.are.equal("alive\n", hosted("threads", WORK))
  end)

  it("forks, and goes on in the children", function()
    assert.are.equal("alive\n", hosted("forks", WORK))
  end)

  -- threads give back more than is kept, so that one or the other is in the
  -- middle of it when a child begins
  it("forks beside busy threads, and memory is used again in the children",
    function()
      assert.are.equal("alive\n", hosted("busy", [[
        local core = require "lunula.core"
        local mappings, MIB = core.system.mappings, 262144
        local function take(mib)
          core.tensor.zeros({ mib * MIB })
          collectgarbage()
        end
        if child and mappings() then
          take(1)
          local before = mappings()
          take(1)
          assert(mappings() == before)
        elseif not child then
          local held = {}
          for i = 1, 16 do held[i] = core.tensor.zeros({ 2 * MIB }) end
          held = nil
          collectgarbage()
        end]]))
    end)
end)

describe("lunula.core", function()
  it("is loaded by several threads, and they don't race", function()
    local path = os.tmpname()
    local _, code = shell.run { "sh", "-c", "cc -std=c99 -g "
      .. "-fsanitize=thread -o " .. path .. " spec/support/once.c "
      .. "src/kernel/blas.c $(pkg-config --cflags --libs openblas) -lpthread" }
    if code ~= 0 then
      os.remove(path)
      pending("needs a C compiler and its thread sanitizer")
      return
    end
    local said, _, complaint = shell.run { "env", "-u", "LD_PRELOAD", path }
    os.remove(path)
    assert.are.equal("", complaint)
    assert.are.equal("alive\n", said)
  end)

  it("shows the program one name", function()
    local said, code = shell.run { "nm", "-D", "--defined-only",
      "lunula/core.so" }
    if code == 127 then
      pending("needs nm")
      return
    end
    local names = {}
    for name in said:gmatch "%x+ [TDBRVW] ([^\n]+)" do
      names[#names + 1] = name
    end
    assert.are.same({ "luaopen_lunula_core" }, names)
  end)

  it("has no thread before it works, and then as many as are asked for",
    function()
      if not io.open "/proc/self/stat" then
        pending("needs Linux to tell how many threads there are")
        return
      end
      local said, _, complaint = run.lua [[
        local core = require "lunula.core"
        local function threads() return #core.io.list "/proc/self/task" end
        local a = core.ops.normal({ 400, 400 })
        local loaded = threads()
        core.threads(1)
        a:matmul(a)
        local one = threads()
        core.threads(3)
        a:matmul(a)
        print(loaded, one, threads())]]
      assert.are.equal("", complaint)
      assert.are.equal("1\t1\t3\n", said)
    end)

  it("lets threads rest that are no longer asked for", function()
    if not io.open "/proc/self/schedstat" then
      pending("needs Linux to tell how long threads ran")
      return
    end
    local said, _, complaint = run.lua [[
      local core = require "lunula.core"
      local a, b = core.ops.normal({ 700, 64 }), core.ops.normal({ 64, 64 })
      local function work()
        for _ = 1, 200 do a:matmul(b) end
      end
      local function times()
        local found = {}
        for _, id in ipairs(core.io.list "/proc/self/task") do
          local file = io.open("/proc/self/task/" .. id .. "/schedstat")
          found[id] = file:read "*n"
          file:close()
        end
        return found
      end
      core.threads(8)
      work()
      core.threads(2)
      work()
      local before, ran = times(), 0
      work()
      for id, time in pairs(times()) do
        if time > before[id] + 1e6 then ran = ran + 1 end
      end
      print(ran)]]
    assert.are.equal("", complaint)
    assert.is_true(tonumber(said) <= 2, said)
  end)
end)
