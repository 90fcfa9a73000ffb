--- Runs the `lunula` command of this checkout as its users do.
local interpreter = require "spec.support.interpreter"
local shell = require "lunula.shell"

local LUA_PATH = "LUA_PATH=./lua/?.lua;./lua/?/init.lua;;"
local LUA_CPATH = "LUA_CPATH=./?.so;;"

local run = {}

--- An environment to measure memory in: what was freed goes back at once,
-- under the sanitizer too.
run.MEASURED = {
  "ASAN_OPTIONS=" .. (os.getenv "ASAN_OPTIONS" or "")
    .. ":quarantine_size_mb=1",
}

local function append(list, more)
  for _, item in ipairs(more or {}) do list[#list + 1] = item end
  return list
end

-- Lua with these words, where this checkout's modules are found
local function lua(words, environment)
  local all = { "env", LUA_PATH, LUA_CPATH, "NO_PROXY=127.0.0.1" }
  append(all, environment)
  return append(append(all, { interpreter }), words)
end

--- The words that run the command.
-- @tparam {string,...} words its arguments
-- @tparam[opt] {string,...} environment
-- @treturn {string,...}
function run.command(words, environment)
  return lua(append({ "src/bin/lunula" }, words), environment)
end

local command = run.command

--- Runs a piece of Lua.
-- @string code
-- @tparam[opt] {string,...} environment such as { "HF_HUB_OFFLINE=1" }
-- @treturn string standard output
-- @treturn int exit status
-- @treturn string standard error
function run.lua(code, environment)
  return shell.run(lua({ "-e", code }, environment))
end

--- What a support module's `wrong` says on an instruction set.
-- @string module of spec.support
-- @string level as for LUNULA_CPU
-- @treturn ?string "nothing" when nothing is wrong; nil where the processor
--   lacks the level
-- @treturn ?string what it complained about
function run.wrong_on(module, level)
  local said, code, errors = run.lua(
    ("io.write(require 'spec.support.%s'.wrong() or 'nothing')")
      :format(module), { "LUNULA_CPU=" .. level })
  if errors:find("not of this processor", 1, true) then return nil end
  return code == 0 and said or "", errors
end

--- Runs a script with its arguments.
-- @tparam {string,...} words "examples/game.lua" and what follows it
-- @treturn string standard output
-- @treturn int exit status
-- @treturn string standard error
function run.script(words)
  return shell.run(lua(words))
end

--- Runs the command to its end.
-- @tparam {string,...} words its arguments
-- @tparam[opt] {string,...} environment
-- @treturn string standard output
-- @treturn int exit status
-- @treturn string standard error
function run.lunula(words, environment)
  return shell.run(command(words, environment))
end

local function with_input(input, words)
  local path = os.tmpname()
  local file = assert(io.open(path, "wb"))
  file:write(input)
  file:close()
  local process = shell.start(shell.line(words) .. " <" .. shell.quote(path))
  local text = process:read("*a")
  local code, said = process:close()
  os.remove(path)
  return text, code, said
end

--- Runs the command with this standard input; returns as `run.lunula` does.
function run.with_input(input, words, environment)
  return with_input(input, command(words, environment))
end

-- a command between two pipes with names; a line goes into the one when the
-- answer to that before came out of the other
local CONVERSATION = [[
dir=$(mktemp -d) && mkfifo "$dir/to" "$dir/from"
timeout 20 %s <"$dir/to" >"$dir/from" &
exec 3>"$dir/to" 4<"$dir/from"
for line in %s; do
  printf '%%s\n' "$line" >&3
  read -r answer <&4 || break
  printf '%%s\n' "$answer"
done
exec 3>&-
rm -r "$dir"]]

--- Holds a conversation with the command: gives it each line only when the
-- one before is answered by a line.
-- @tparam {string,...} lines
-- @tparam {string,...} words its arguments
-- @treturn {string,...} the answers, up to one that did not come in time
function run.conversation(lines, words)
  local process = shell.start(
    CONVERSATION:format(shell.line(command(words)), shell.line(lines)))
  local answers = {}
  for line in process:read("*a"):gmatch("[^\n]+") do
    answers[#answers + 1] = line
  end
  process:close()
  return answers
end

--- Runs it where standard output is a terminal; needs util-linux' script.
-- @tparam {string,...} words its arguments
-- @tparam[opt] {string,...} environment
-- @treturn string what it wrote to the terminal
function run.on_terminal(words, environment)
  return (shell.run { "script", "-qec",
    shell.line(command(words, environment)), "/dev/null" })
end

--- Runs a piece of Lua with this standard input.
function run.lua_with_input(input, code)
  return with_input(input, lua({ "-e", code }))
end

--- Starts it and does not wait.
-- @treturn string the number of its process
function run.background(words, environment)
  local process = shell.start(shell.line(command(words, environment))
    .. " >/dev/null 2>&1 & echo $!")
  local pid = process:read("*l")
  process:close()
  return pid
end

--- Runs it and sends it Ctrl-C.
-- @string when a piece of sh that succeeds when it is time: `$$` is the
--   program's process number there
-- @treturn string standard output
-- @treturn int exit status
-- @treturn string standard error
function run.interrupted(when, words)
  return shell.run(append({ "sh", "-c", ("{ until %s || ! kill -0 $$; do "
    .. "sleep 0.05; done; kill -INT $$; } >/dev/null 2>&1 & exec \"$@\"")
    :format(when), "sh" }, command(words)))
end

--- Runs it and gives its standard output to a piece of sh.
-- @string to " | head -n 1", " >/dev/full"
-- @tparam {string,...} words its arguments
-- @string[opt] before a piece of sh to run first
-- @treturn string what that writes
-- @treturn int exit status of it all
-- @treturn string standard error of both
function run.piped(to, words, before)
  local process = shell.start((before or "") .. shell.line(command(words))
    .. to)
  local text = process:read("*a")
  return text, process:close()
end

--- Runs it as many times at once, to their ends.
-- @treturn string what they wrote to standard output
function run.together(n, words, environment)
  local line = shell.line(command(words, environment)) .. " & "
  local process = shell.start(line:rep(n) .. "wait")
  local text = process:read("*a")
  process:close()
  return text
end

return run
