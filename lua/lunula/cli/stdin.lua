--- Standard input, read so that nobody waits for an answer that is held back.
-- What is read is read in large pieces; when no whole line is left of it and
-- the next read would wait, `on_wait` is called first. So a file goes at full
-- speed, and a program or person at the other end is answered before we ask
-- for more.
-- @module lunula.cli.stdin

local system = require("lunula.core").system

local stdin = {}

local Stdin = {}
Stdin.__index = Stdin

--- A reader of standard input, which nobody else may have read from.
-- @func on_wait called before each read that has to wait
-- @treturn Stdin
-- @usage local input = stdin.new(flush)
-- for row in data.rows(input, { name = "stdin" }) do ... end
function stdin.new(on_wait)
  return setmetatable({ on_wait = on_wait, buffer = "", at = 1 }, Stdin)
end

local function next_bytes(self)
  if not system.input_ready(false) then
    self.on_wait()
    while not system.input_ready(true) do end  -- a signal came
  end
  return system.read_input()
end

--- The next line, as `file:read("*L")` gives it.
-- @treturn ?string with its end, which the last may lack; nil after that
-- @raise when standard input can't be read
function Stdin:read()
  local pieces = {}
  while self.buffer do
    local stop = self.buffer:find("\n", self.at, true)
    pieces[#pieces + 1] = self.buffer:sub(self.at, stop)
    self.at = (stop or 0) + 1
    if stop then return table.concat(pieces) end
    self.buffer, self.at = next_bytes(self), 1
  end
  local rest = table.concat(pieces)
  return rest ~= "" and rest or nil
end

return stdin
