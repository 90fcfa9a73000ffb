--- The numbered lines of an open file.
-- Every reader of `lunula.data` stands on this one, so that each of their
-- errors can say where. A line is read when it is asked for and not before:
-- a program at the other end of a pipe is answered at once.
-- @module lunula.data.lines

local core = require "lunula.core"

local sub = string.sub

local lines = {}

local Lines = {}
Lines.__index = Lines

--- The lines of a file that stays the caller's to close.
-- @tparam file file open for reading
-- @string name what errors call it
-- @treturn Lines
-- @usage local input = lines.of(io.stdin, "stdin")
function lines.of(file, name)
  local read = io.type(file) == "file" and core.io.line or file.read
  return setmetatable({ file = file, read = read, name = name, number = 0 },
    Lines)
end

local function without_mark(self, line)
  local two = sub(line, 1, 2)
  if two == "\255\254" or two == "\254\255" then
    self:fail(1, "this is UTF-16; save it as UTF-8")
  end
  return sub(line, 1, 3) == "\239\187\191" and sub(line, 4) or line
end

--- The next line; its number is then in the field `number`.
-- @treturn ?string the line without its end; nil when there is no more
-- @treturn string its end: LF, CRLF, or nothing for a cut last line
-- @raise when the file can't be read
function Lines:next()
  local line, why = self.read(self.file, "*L")
  if not line then
    if why then error(self.name .. ": " .. why, 0) end
    return nil
  end
  self.number = self.number + 1
  if self.number == 1 then line = without_mark(self, line) end
  if sub(line, -1) ~= "\n" then return line, "" end
  if sub(line, -2, -2) ~= "\r" then return sub(line, 1, -2), "\n" end
  return sub(line, 1, -3), "\r\n"
end

--- Raises `name:number: message`.
-- @int number the line to blame
-- @string message as for string.format, with its arguments after it
function Lines:fail(number, message, ...)
  error(("%s:%d: %s"):format(self.name, number, message:format(...)), 0)
end

return lines
