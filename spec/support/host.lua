--- Programs that lunula lives in (see host.c beside this).
local shell = require "lunula.shell"

local host = {}

--- Compiles them.
-- @treturn ?string the path of the program; nil where that can't be done
function host.compile()
  local path = os.tmpname()
  local _, code = shell.run { "sh", "-c", "cc -std=c99 -Wall -rdynamic -o "
    .. path .. " spec/support/host.c "
    .. "$(pkg-config --cflags --libs lua5.4) -lm -lpthread" }
  if code == 0 then return path end
  os.remove(path)
end

--- Runs one, which must not complain.
-- @string path what `compile` gave
-- @string how "threads"
-- @string code Lua
-- @treturn string what it prints
function host.run(path, how, code)
  local said, _, complaint = shell.run { "env",
    "LUA_PATH=./lua/?.lua;./lua/?/init.lua;./?.lua;;", "LUA_CPATH=./?.so;;",
    path, how, code }
  if complaint ~= "" then error(complaint, 0) end
  return said
end

return host
