--- Pictures: a figure with its title, the drawing, and its data as a table
-- beneath; and the frame of two axes that most drawings begin with. A drawing
-- is WIDTH units wide, so that its texts can be read on a telephone.
-- @module lunula.report.plot

local grid = require "lunula.report.grid"
local markup = require "lunula.report.markup"
local number = require "lunula.report.number"
local scale = require "lunula.report.scale"

local e = markup.element

local plot = {}

local WIDTH = 440
local LEFT, RIGHT, TOP, BOTTOM = 52, 18, 12, 44
local GAP = 15  -- between two lines of text

--- How wide each drawing is.
plot.WIDTH = WIDTH

-- a place in a drawing
local function at(value)
  return number.fixed(value, 1):gsub("%.0$", "")
end

local function places(fields)
  for name, value in pairs(fields) do
    if type(value) == "number" and type(name) == "string" then
      fields[name] = at(value)
    end
  end
  return fields
end

--- An element of a drawing: its numbers are rounded to a tenth.
-- @table draw
plot.draw = setmetatable({}, {
  __index = function(_, name)
    return function(fields) return e[name](places(fields)) end
  end,
})

local draw = plot.draw

--- A line of text in a drawing.
-- @number x
-- @number y
-- @string text
-- @string[opt="middle"] anchor "start", "middle" or "end"
-- @string[opt] class
-- @treturn Node
function plot.text(x, y, text, anchor, class)
  return draw.text { x = x, y = y, ["text-anchor"] = anchor or "middle",
    class = class or false, text }
end

--- A straight line.
-- @number x1
-- @number y1
-- @number x2
-- @number y2
-- @string class
-- @treturn Node
function plot.line(x1, y1, x2, y2, class)
  return draw.line { x1 = x1, y1 = y1, x2 = x2, y2 = y2, class = class }
end

--- A line through points.
-- @tparam {{number,number},...} points places
-- @string class
-- @treturn Node
function plot.path(points, class)
  local parts = {}
  for i, point in ipairs(points) do
    parts[i] = (i == 1 and "M" or "L") .. at(point[1]) .. " " .. at(point[2])
  end
  return e.path { class = class, d = table.concat(parts) }
end

local MARKS = {
  circle = function(x, y, r, class)
    return draw.circle { cx = x, cy = y, r = r, class = class }
  end,
  square = function(x, y, r, class)
    return draw.rect { x = x - r, y = y - r, width = 2 * r, height = 2 * r,
      class = class }
  end,
  triangle = function(x, y, r, class)
    return e.path { class = class, d = ("M%s %sL%s %sL%s %sZ"):format(at(x),
      at(y - 1.2 * r), at(x + 1.1 * r), at(y + r), at(x - 1.1 * r),
      at(y + r)) }
  end,
}

--- A mark at a place; shapes tell series apart where colours don't.
-- @string shape "circle", "square" or "triangle"
-- @number x
-- @number y
-- @number r
-- @string class
-- @treturn Node
function plot.mark(shape, x, y, r, class)
  return MARKS[shape](x, y, r, class)
end

-- {======== axes ========

local function y_axis(frame, y)
  local out, ticks, step = {}, scale.ticks(y.low, y.high, 5)
  for _, value in ipairs(ticks) do
    local place = frame.y(value)
    out[#out + 1] = plot.line(frame.left, place, frame.right, place, "grid")
    out[#out + 1] = plot.text(frame.left - 7, place + 4,
      (y.name_of or scale.name)(value, step), "end")
  end
  return out
end

local function x_axis(frame, x)
  local out, ticks, step = {}, scale.ticks(x.low, x.high, 6, x.whole and 1)
  for _, value in ipairs(ticks) do
    local place = frame.x(value)
    out[#out + 1] = plot.line(place, frame.bottom, place, frame.bottom + 4,
      "axis")
    out[#out + 1] = plot.text(place, frame.bottom + 18,
      (x.name_of or scale.name)(value, step))
  end
  out[#out + 1] = plot.line(frame.left, frame.bottom, frame.right,
    frame.bottom, "axis")
  out[#out + 1] = x.title and plot.text((frame.left + frame.right) / 2,
    frame.bottom + 36, x.title, nil, "soft")
  return out
end

--- A frame with two axes.
-- @tparam table x `low`, `high`; `title`, `name_of` (a function of a value and
--   the step between two, to a text), `whole` for whole numbers only
-- @tparam table y as x, but for `title` and `whole`
-- @int height of the drawing
-- @int[opt] right room at the right, for texts
-- @treturn table `x` and `y`, from values to places; `left`, `right`, `top`,
--   `bottom`, its edges; `axes`, what is drawn
function plot.frame(x, y, height, right)
  local frame = { left = LEFT, right = WIDTH - (right or RIGHT), top = TOP,
    bottom = height - BOTTOM }
  frame.x = scale.linear(x.low, x.high, frame.left, frame.right)
  frame.y = scale.linear(y.low, y.high, frame.bottom, frame.top)
  frame.axes = { y_axis(frame, y), x_axis(frame, x) }
  return frame
end

--- Moves texts that stand above each other apart.
-- @tparam {table,...} labels each with its place `y`, changed
-- @number low the least place
-- @number high the largest
function plot.spread(labels, low, high)
  table.sort(labels, function(a, b) return a.y < b.y end)
  local least = low
  for _, label in ipairs(labels) do
    label.y = math.max(label.y, least)
    least = label.y + GAP
  end
  local most = high
  for i = #labels, 1, -1 do
    labels[i].y = math.min(labels[i].y, most)
    most = labels[i].y - GAP
  end
end

-- }========

--- A figure.
-- @tparam table o
-- @string o.title
-- @param[opt] o.note what to know to read it
-- @string o.says what is to be seen, for who doesn't see it
-- @int o.height of the drawing
-- @param o.drawing
-- @tparam {table,...} o.columns of the table, as for `grid.new`
-- @tparam {table,...} o.rows
-- @treturn Node
function plot.figure(o)
  return e.figure {
    e.figcaption { e.b { o.title }, o.note and { " ", o.note } or false },
    e.svg { viewBox = ("0 0 %d %d"):format(WIDTH, o.height), role = "img",
      ["aria-label"] = o.title .. ". " .. o.says,
      e.title { o.title }, e.desc { o.says }, o.drawing },
    e.details { e.summary { "The figures as a table" },
      grid.new(o.title, o.columns, o.rows) },
  }
end

return plot
