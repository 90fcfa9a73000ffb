--- How much memory a process holds.
local run = require "spec.support.run"

local resident = {}

--- Memory of this process that is not swapped out or given back.
-- @treturn number MiB; nil where /proc is absent
function resident.mib()
  local file = io.open("/proc/self/status")
  if not file then return nil end
  local kib = file:read("*a"):match("VmRSS:%s*(%d+)")
  file:close()
  return tonumber(kib) / 1024
end

local GROWTH = [[
local resident = require "spec.support.resident"
local tensor = require "lunula.tensor"
local once = (function() %s end)()
local function at_rest(n)
  for _ = 1, n do once() end
  collectgarbage()
  collectgarbage()
  return resident.mib() or 0
end
local before = at_rest(%d)
print(at_rest(%d) - before)]]

--- How much a process grows by doing something again and again: one of its
-- own, since what else this one holds comes and goes.
-- @string body Lua that returns a function; sees `tensor`
-- @int first how often before the growth is measured
-- @int more how often after
-- @treturn number MiB
function resident.growth(body, first, more)
  local text, code, said = run.lua(GROWTH:format(body, first, more),
    run.MEASURED)
  assert(code == 0, said)
  return tonumber(text)
end

return resident
