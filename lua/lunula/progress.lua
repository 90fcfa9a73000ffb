--- Progress on standard error: a bar on a terminal, plain lines elsewhere.
-- Nothing is shown but by who asks for it: the command line and the examples.
-- @classmod lunula.progress

local system = require("lunula.core").system

local progress = {}
progress.__index = progress

local COLUMNS = 79        -- of a terminal's line: a longer one would wrap
local WIDTH = 14          -- of the bar, at most
local NARROWEST = 5       -- and at least; below it there is none
local REDRAW = 0.1        -- seconds between two states of the bar
local PLAIN_LINES = 20    -- of one run, when it is not a terminal
local PATIENCE = 5        -- seconds that need no line there
local WORTH_A_LINE = 1e6  -- bytes of a download, when it is not a terminal

--- Shows the progress of one thing.
-- @tparam[opt=io.stderr] file out
-- @bool[opt] terminal whether it is one; found out when not given
-- @treturn progress with callbacks for `lunula.train` and `hub.fetch`, and
-- what the commands show
-- @usage local bar = lunula.progress.new()
-- lunula.train(model, rows, { on_step = function(info) bar:step(info) end })
function progress.new(out, terminal)
  if terminal == nil then terminal = system.isatty(2) end
  return setmetatable({ out = out or io.stderr, terminal = terminal },
    progress)
end

local function clock(seconds)
  seconds = math.floor(seconds + 0.5)
  local hours = math.floor(seconds / 3600)
  local minutes = math.floor(seconds / 60) % 60
  if hours > 0 then
    return ("%d:%02d:%02d"):format(hours, minutes, seconds % 60)
  end
  return ("%d:%02d"):format(minutes, seconds % 60)
end

-- the bar in front of a text, as far as the line has room
local function with_bar(part, text)
  local width = math.min(WIDTH, COLUMNS - #"[] " - #text)
  if width < NARROWEST then return text:sub(1, COLUMNS) end
  local full = math.floor(math.min(part, 1) * width)
  return ("[%s%s] %s"):format(("="):rep(full), (" "):rep(width - full), text)
end

--- Takes the bar away, so that other lines can be written.
function progress:clear()
  if self.terminal and self.drawn then
    self.out:write("\r\27[K")
    self.drawn = false
  end
end

--- Writes a line of its own.
-- @string text
function progress:say(text)
  self:clear()
  self.out:write(text, "\n")
  self.out:flush()
end

local function finish(self, ok, ...)
  self:clear()
  if not ok then error((...), 0) end
  return ...
end

--- Calls a function; then the bar is away, also when it raises.
-- @func f
-- @param ... its arguments
-- @return what f returns
-- @raise what f raises
function progress:during(f, ...)
  return finish(self, pcall(f, ...))
end

local function draw(self, part, text)
  if self.terminal then
    self.out:write("\r", with_bar(part, text), "\27[K")
    self.drawn = true
  else
    self.out:write(text, "\n")
  end
  self.out:flush()
end

-- often enough for a bar to seem alive
local function is_bar_due(self, seconds)
  local due = seconds - (self.shown or -REDRAW) >= REDRAW
  if due then self.shown = seconds end
  return due
end

-- on a terminal that, elsewhere a few lines in all
local function is_due(self, info)
  if info.step == info.steps then return true end
  if self.terminal then return is_bar_due(self, info.seconds) end
  return info.step == 1
    or info.step % math.ceil(info.steps / PLAIN_LINES) == 0
end

--- The state of a training after a step.
-- @tparam table info `step`, `steps`, `epoch`, `loss`, `seconds`,
-- `tokens_per_second`, as `lunula.train` gives it to `on_step`
function progress:step(info)
  if not is_due(self, info) then return end
  local left = info.seconds / info.step * (info.steps - info.step)
  local text = ("step %d/%d  epoch %d  loss %.4f  %.0f tokens/s  %s left")
    :format(info.step, info.steps, info.epoch, info.loss,
      info.tokens_per_second, clock(left))
  draw(self, info.step / info.steps, text)
end

-- The same for texts; what is soon over needs no plain line.
local function are_texts_due(self, part, seconds)
  if self.terminal then return is_bar_due(self, seconds) end
  if seconds < PATIENCE or part < (self.next_part or 0) then return false end
  self.next_part = (math.floor(part * PLAIN_LINES) + 1) / PLAIN_LINES
  return true
end

--- Which of several things is done now; on a terminal until the next.
-- @int i from 1
-- @int n how many there are
-- @string text says which
function progress:part(i, n, text)
  draw(self, (i - 1) / n, text)
end

--- How far the texts of a file are answered.
-- @tparam table info `done` and `total`, bytes of the file; `texts`, how many
-- have their answers; `seconds` since they were begun
function progress:texts(info)
  local part = info.done / math.max(info.total, info.done, 1)
  if not are_texts_due(self, part, info.seconds) then return end
  local left = info.seconds / math.max(part, 1e-9) * (1 - part)
  draw(self, part, ("%3.0f %%  %d texts  %.0f texts/s  %s left"):format(
    100 * part, info.texts, info.texts / math.max(info.seconds, 1e-9),
    clock(left)))
end

--- The state of a download.
-- @string name of the file
-- @int done bytes so far
-- @int total bytes in all
function progress:download(name, done, total)
  local part = done / math.max(total, done, 1)
  if self.terminal then
    local percent = math.floor(part * 100)
    if self.name == name and self.percent == percent then return end
    self.name, self.percent = name, percent
    draw(self, part, ("%s  %.1f MB"):format(name, done / 1e6))
  elseif done >= total and total >= WORTH_A_LINE then
    self:say(("%s: %.1f MB"):format(name, done / 1e6))
  end
end

return progress
