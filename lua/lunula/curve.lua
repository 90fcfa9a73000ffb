--- The learning curve of a training, drawn in text: the loss by step, below it
-- the score that chose the best weights, and which these are. Both have the
-- same steps from left to right.
--
-- Plain ASCII, or where it is asked for Unicode's Braille patterns, whose eight
-- dots a character make a finer line.
-- @module lunula.curve

local check = require "lunula.check"
local options = require "lunula.options"

local curve = {}

local KNOWN = { width = 79, utf8 = false }

local LABEL = 9              -- columns of a number beside the axis
local NARROWEST = LABEL + 12
local LOSS, SCORE = 8, 4     -- lines of each picture

-- {======== what is drawn on ========

-- Dots within a character: how many across and down, and how they are shown.
local PLAIN = { across = 1, down = 1, score = "o", best = "@" }
local BRAILLE = { across = 2, down = 4, score = "\226\128\162",
  best = "\226\151\134" }

-- what each dot adds to the pattern's number
local DOTS = { { 1, 8 }, { 2, 16 }, { 4, 32 }, { 64, 128 } }

function PLAIN.character(dots)
  return dots[1][1] and "*" or " "
end

-- U+2800 and its number, in UTF-8
function BRAILLE.character(dots)
  local n = 0
  for y, row in ipairs(DOTS) do
    for x, bit in ipairs(row) do n = n + (dots[y][x] and bit or 0) end
  end
  if n == 0 then return " " end
  return string.char(226, 160 + math.floor(n / 64), 128 + n % 64)
end

-- the dots of the character in column c of line r
local function dots_of(grid, style, r, c)
  local dots = {}
  for y = 1, style.down do
    dots[y] = {}
    for x = 1, style.across do
      dots[y][x] = grid[(r - 1) * style.down + y][(c - 1) * style.across + x]
    end
  end
  return dots
end

local function new_grid(rows)
  local grid = {}
  for r = 1, rows do grid[r] = {} end
  return grid
end

-- }========

-- {======== numbers to places ========

local function is_finite(x)
  return x ~= nil and x - x == 0
end

local function range_of(points)
  local low, high = math.huge, -math.huge
  for _, point in ipairs(points) do
    low, high = math.min(low, point.y), math.max(high, point.y)
  end
  return low, high
end

-- 1 for the highest, n for the lowest; between them where there is no spread
local function row_of(y, low, high, n)
  if high == low then return math.floor((n + 1) / 2) end
  return math.floor((high - y) / (high - low) * (n - 1) + 0.5) + 1
end

-- 1 for the first step, n for the last
local function column_of(x, last, n)
  if last <= 1 then return 1 end
  return math.floor((x - 1) / (last - 1) * (n - 1) + 0.5) + 1
end

-- A value for each column: the mean of the steps in it, and in those between
-- two steps what lies between. At least one step.
local function per_column(points, last, n)
  local columns, sums = {}, {}
  for _, point in ipairs(points) do
    local c = column_of(point.x, last, n)
    local sum = sums[c] or { 0, 0 }
    sums[c] = { sum[1] + point.y, sum[2] + 1 }
  end
  local before
  for c = 1, n do
    if sums[c] then
      columns[c] = sums[c][1] / sums[c][2]
      for between = before or c, c - 1 do
        columns[between] = columns[before] + (columns[c] - columns[before])
          * (between - before) / (c - before)
      end
      before = c
    end
  end
  return columns
end

-- }========

-- {======== pictures ========

-- The lines of a picture, with the highest and the lowest number beside it.
local function framed(lines, low, high)
  for r, line in ipairs(lines) do
    local label = r == 1 and ("%.4g"):format(high)
      or r == #lines and ("%.4g"):format(low) or ""
    if low == high and r == #lines then label = "" end
    lines[r] = (("%%%ds |"):format(LABEL):format(label) .. line)
      :gsub("%s+$", "")
  end
  return table.concat(lines, "\n") .. "\n"
end

-- Dots from one column's place to the next, so that a steep line has no gaps.
local function draw_line(grid, columns, low, high)
  local before
  for c = 1, #columns do
    local r = row_of(columns[c], low, high, #grid)
    local from = before and before ~= r and before + (r > before and 1 or -1)
      or r
    for between = math.min(from, r), math.max(from, r) do
      grid[between][c] = true
    end
    before = r
  end
end

local function line_picture(points, last, width, style)
  local grid = new_grid(LOSS * style.down)
  local columns = per_column(points, last, width * style.across)
  local low, high, lines = math.huge, -math.huge, {}
  for _, y in ipairs(columns) do
    low, high = math.min(low, y), math.max(high, y)
  end
  draw_line(grid, columns, low, high)
  for r = 1, LOSS do
    local cells = {}
    for c = 1, width do
      cells[c] = style.character(dots_of(grid, style, r, c))
    end
    lines[r] = table.concat(cells)
  end
  return framed(lines, low, high)
end

-- A mark for each point; the best one's is not hidden by another.
local function point_picture(points, last, width, style)
  local low, high = range_of(points)
  local grid, lines = new_grid(SCORE), {}
  for _, point in ipairs(points) do
    local r, c = row_of(point.y, low, high, SCORE),
      column_of(point.x, last, width)
    if grid[r][c] ~= style.best then
      grid[r][c] = point.is_best and style.best or style.score
    end
  end
  for r = 1, SCORE do
    for c = 1, width do grid[r][c] = grid[r][c] or " " end
    lines[r] = table.concat(grid[r])
  end
  return framed(lines, low, high)
end

local function axis(last, width)
  local first, final = "step 1", ("%.0f"):format(last)
  local gap = math.max(width - #first - #final, 1)
  return (" "):rep(LABEL + 1) .. "+" .. ("-"):rep(width) .. "\n"
    .. (" "):rep(LABEL + 2) .. first .. (" "):rep(gap) .. final .. "\n"
end

-- }========

-- {======== a training ========

local function losses_of(result)
  local points = {}
  for _, step in ipairs(result.steps) do
    if is_finite(step.loss) then
      points[#points + 1] = { x = step.step, y = step.loss }
    end
  end
  return points
end

local function scores_of(result)
  local points = {}
  for _, validation in ipairs(result.validations or {}) do
    local score = validation.scores[result.metric]
    if is_finite(score) then
      points[#points + 1] = { x = validation.step, y = score,
        is_best = validation.step == result.best_step,
        epoch = validation.epoch }
    end
  end
  return points
end

local function best_line(result, points, style)
  for _, point in ipairs(points) do
    if point.is_best then
      return ("%s best %s: %.4f after step %d (epoch %d)\n"):format(style.best,
        result.metric, point.y, point.x, point.epoch)
    end
  end
  return ""
end

--- Draws the curve of a training.
-- @tparam table result as `lunula.train` returns it: `steps`, and where there
--   were validations `validations`, `metric` and `best_step`
-- @tparam[opt] table given
-- @int[opt=79] given.width of the lines, in columns; at least 21
-- @bool[opt=false] given.utf8 whether dots finer than ASCII are understood
-- @treturn string lines, each with its end; empty when there were no steps
-- @raise on an option that is none, and what is no result of a training
-- @usage io.stderr:write(lunula.curve.text(lunula.train(model, rows)))
function curve.text(result, given)
  local o = options.check(given, KNOWN, "curve")
  check.integer(o.width, "curve: width", { least = NARROWEST })
  check.boolean(o.utf8, "curve: utf8")
  check.table(check.table(result, "curve: result").steps, "curve: steps")
  local losses, scores = losses_of(result), scores_of(result)
  if #losses == 0 then return "" end
  local width, style = o.width - LABEL - 2, o.utf8 and BRAILLE or PLAIN
  local last = result.steps[#result.steps].step
  local parts = { "train loss\n", line_picture(losses, last, width, style) }
  if #scores > 0 then
    parts[#parts + 1] = "validation " .. result.metric .. "\n"
    parts[#parts + 1] = point_picture(scores, last, width, style)
  end
  parts[#parts + 1] = axis(last, width)
  parts[#parts + 1] = best_line(result, scores, style)
  return table.concat(parts)
end

-- }========

return curve
