--- External programs, run so that nothing in an argument is ever code.
-- Arguments are quoted for sh and checked for NUL; a program's standard
-- output is read through a pipe, so that a program whose reader has died
-- ends too, and its standard error is kept for the message.
-- @module lunula.shell

local shell = {}

--- One argument as sh reads it back, whatever bytes are in it.
-- @string argument
-- @treturn string
-- @raise when it holds a NUL byte, which no argument can
function shell.quote(argument)
  if argument:find("\0", 1, true) then
    error("a command's argument can't hold a NUL byte", 0)
  end
  return "'" .. argument:gsub("'", "'\\''") .. "'"
end

--- A command line out of a program's name and its arguments.
-- @tparam {string,...} arguments the program first
-- @treturn string
function shell.line(arguments)
  local quoted = {}
  for i, argument in ipairs(arguments) do
    quoted[i] = shell.quote(argument)
  end
  return table.concat(quoted, " ")
end

local running = {}
running.__index = running

--- Starts a command line whose output is then read piece by piece. The file
-- of its standard error has no name any more once it runs: whoever is killed
-- leaves none behind.
-- @string line as `shell.line` makes it; may end in a here-document
-- @treturn running with `read(bytes)` and `close()`
-- @raise when no process can be started
-- @usage local p = shell.start(shell.line { "cat", path })
-- local text, code = p:read("*a"), p:close()
function shell.start(line)
  local path = os.tmpname()
  local notes = assert(io.open(path, "rb"))
  local quoted = shell.quote(path)
  local pipe = assert(io.popen(("exec 2>%s; rm %s\n%s\necho \"exit $?\" >&2")
    :format(quoted, quoted, line), "r"))
  return setmetatable({ pipe = pipe, notes = notes }, running)
end

--- The next bytes of the program's output.
-- @tparam int|string format as in `file:read`
-- @treturn ?string nil at the end
function running:read(format)
  return self.pipe:read(format)
end

--- Ends the reading and waits for the program.
-- The exit status travels in the last line of standard error, since a Lua
-- 5.1 does not tell it.
-- @treturn int the program's exit status; 127 when there is no such program
-- @treturn string what it wrote to standard error
function running:close()
  self.pipe:close()
  local text = self.notes:read("*a")
  self.notes:close()
  local said, code = text:match("^(.-)exit (%d+)\n$")
  return tonumber(code) or 1, said or text
end

--- Runs a program to its end.
-- @tparam {string,...} arguments the program first
-- @treturn string its standard output
-- @treturn int its exit status
-- @treturn string its standard error
-- @usage local listing, code = shell.run { "ls", folder }
function shell.run(arguments)
  local process = shell.start(shell.line(arguments))
  local output = process:read("*a")
  return output, process:close()
end

--- Runs a program that must succeed.
-- @tparam {string,...} arguments the program first
-- @treturn string its standard output
-- @raise with what the program said when it fails, its name first as usual
function shell.must(arguments)
  local output, code, said = shell.run(arguments)
  if code ~= 0 then error(shell.last_line(said), 0) end
  return output
end

--- The last line that says something, which is where programs put the reason.
-- @string text
-- @treturn string
function shell.last_line(text)
  return text:match("([^\n]+)%s*$") or "no reason given"
end

--- Whether a program is there to be run.
-- @string name
-- @treturn bool
function shell.has(name)
  local process = shell.start("command -v " .. shell.quote(name))
  process:read("*a")
  return process:close() == 0
end

return shell
