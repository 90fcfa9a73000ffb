--- Standard output, so that nothing that was lost goes unnoticed.
-- @module lunula.cli.output

local output = {}

--- Raised when whoever reads our output has gone: no failure of ours.
output.CLOSED = {}

local BROKEN_PIPE = 32  -- EPIPE

local function check(ok, why, number)
  if ok then return end
  if number == BROKEN_PIPE then error(output.CLOSED, 0) end
  error("cannot write to standard output: " .. tostring(why), 0)
end

--- Writes a line.
-- @string line with or without its end
-- @raise when the disk is full; `output.CLOSED` when the reader has gone
function output.line(line)
  check(io.stdout:write(line, line:sub(-1) == "\n" and "" or "\n"))
end

--- Writes several lines at once.
-- @tparam {string,...} lines without their ends
-- @raise as `output.line` does
function output.lines(lines)
  if #lines > 0 then output.line(table.concat(lines, "\n") .. "\n") end
end

--- Sends what was written on its way.
-- @raise as `output.line` does
function output.flush()
  check(io.stdout:flush())
end

return output
