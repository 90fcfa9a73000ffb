local system = require("lunula.core").system

local LUA = ("LUA_PATH='%s' LUA_CPATH='%s' %s "):format(package.path,
  package.cpath, require "spec.support.interpreter")

-- What a program prints that may send itself Ctrl-C (kill), and how it ends:
-- 1 by the handler of Lua itself, 130 by the system's. It is sent by popen,
-- since os.execute ignores Ctrl-C while it runs.
local function run(program)
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write([[
    local system = require("lunula.core").system
    io.stdout:setvbuf("no")
    local pid = io.open("/proc/self/stat"):read("*n")
    local function kill() io.popen(("kill -INT %d"):format(pid)):close() end
  ]], program)
  file:close()
  local pipe = io.popen(("%s %s 2>/dev/null; echo $?"):format(LUA, path))
  local said = pipe:read("*a")
  pipe:close()
  os.remove(path)
  return said
end

describe("system", function()
  it("knows the most memory that was ever held", function()
    -- in a process of its own: what came before would count too
    assert.are.equal("true\ttrue\n0\n", run [[
      local before = system.peak_rss()
      local big = ("x"):rep(64 * 2 ^ 20)
      local after = system.peak_rss()
      print(before > 1 and #big == 64 * 2 ^ 20,
        after >= before + 32 and after < before + 256)]])
  end)

  it("has a clock that goes on", function()
    local a = system.monotonic()
    os.execute("sleep 0.02")
    local passed = system.monotonic() - a
    assert(passed >= 0.02 and passed < 5)
  end)

  it("tells a terminal from a pipe", function()
    assert.are.equal("false\n0\n", run "print(system.isatty(1))")
    assert.has_error(function() system.isatty(3) end)
    assert.are.equal("nil\n0\n", run "print(system.columns(1))")
    assert.has_error(function() system.columns(3) end)
  end)

  it("leaves Ctrl-C alone until asked", function()
    assert.are.equal("1\n", run 'kill() print "still here"')
  end)

  it("forgets Ctrl-C when it no longer catches it", function()
    assert.are.equal("true\nfalse\n0\n", run [[
      system.catch_interrupt(true)
      kill()
      print(system.interrupted())
      system.catch_interrupt(false)
      print(system.interrupted())]])
  end)

  it("catches Ctrl-C once, and ends at the second", function()
    assert.are.equal("false\ntrue\n130\n", run [[
      system.catch_interrupt(true)
      print(system.interrupted())
      kill()
      print(system.interrupted())
      kill()
      print "still here"]])
  end)

  it("puts back what was there", function()
    assert.are.equal("1\n", run [[
      system.catch_interrupt(true)
      system.catch_interrupt(false)
      kill()
      print "still here"]])
  end)

  it("forgets an old Ctrl-C when it starts anew", function()
    assert.are.equal("true\nfalse\n0\n", run [[
      system.catch_interrupt(true)
      kill()
      print(system.interrupted())
      system.catch_interrupt(false)
      system.catch_interrupt(true)
      print(system.interrupted())]])
  end)
end)
