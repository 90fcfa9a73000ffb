--- Programs that lunula lives in (see host.c beside this).
local interpreter = require "spec.support.interpreter"
local shell = require "lunula.shell"

local host = {}

--- Lua for a program: `load_model()` gives a tiny classifier, `texts` are
-- some, and `long()` are so many that a state ends before they are answered.
host.MODEL = [[
  local classifier = require "lunula.classifier"
  local tiny = require "spec.support.tiny"
  local function load_model()
    local dir = tiny.temporary()
    tiny.write_encoder(dir)
    local model = classifier(dir, { labels = { "negative", "positive" } })
    tiny.remove(dir)
    return model
  end
  local texts = {}
  for i, row in ipairs(tiny.reviews(60)) do texts[i] = row.text end
  local function long()
    local all = {}
    for i = 1, 5000 do all[i] = texts[i % #texts + 1] end
    return all
  end
]]

--- Compiles them.
-- @string[opt] flags for the compiler
-- @treturn ?string the path of the program; nil where that can't be done
function host.compile(flags)
  local path = os.tmpname()
  local _, code = shell.run { "sh", "-c", "cc -std=c99 -Wall -rdynamic "
    .. (flags or "") .. " -o " .. path .. " spec/support/host.c "
    .. "$(pkg-config --cflags --libs " .. interpreter .. ") -lm -lpthread" }
  if code == 0 then return path end
  os.remove(path)
end

-- Where LuaJIT's compiler gives a trace up, it unwinds under a lock of
-- libgcc's (before GCC 13) of which no fork knows: a child of that moment waits
-- for it for ever when it unwinds, too.
local INTERPRETED = "if jit then jit.off() end "

--- Runs one, which must not complain.
-- @string path what `compile` gave
-- @string how "threads"
-- @string code Lua
-- @int[opt] states how many each thread has, where it is to be told
-- @tparam[opt] {string,...} environment such as `run.MEASURED`
-- @treturn string what it prints
function host.run(path, how, code, states, environment)
  local words = { "env", "LUA_PATH=./lua/?.lua;./lua/?/init.lua;./?.lua;;",
    "LUA_CPATH=./?.so;;" }
  for _, setting in ipairs(environment or {}) do words[#words + 1] = setting end
  if how == "busy" then code = INTERPRETED .. code end
  for _, word in ipairs { path, how, code, states and ("%d"):format(states) }
  do
    words[#words + 1] = word
  end
  local said, _, complaint = shell.run(words)
  if complaint ~= "" then error(complaint, 0) end
  return said
end

return host
