--- Dots with whiskers: values and their intervals, one below the other.
-- @module lunula.report.dots

local markup = require "lunula.report.markup"
local number = require "lunula.report.number"
local plot = require "lunula.report.plot"
local scale = require "lunula.report.scale"

local dots = {}

local ROW, TOP, BOTTOM = 30, 12, 46
local LEFT, RIGHT = 128, 62    -- room for names, and for values
local NAME = 16                -- columns of a name

local function range_of(items, reference)
  local values = { reference }
  for _, item in ipairs(items) do
    values[#values + 1] = number.known(item.low)
    values[#values + 1] = number.known(item.high)
    values[#values + 1] = item.value
  end
  local low, high = scale.range(values)
  return scale.nice(low, high, 5)
end

local function axis(o, x, low, high, foot)
  local ticks, step = scale.ticks(low, high, 5)
  local out = {}
  for i, value in ipairs(ticks) do
    out[i] = { plot.line(x(value), TOP, x(value), foot, "grid"),
      plot.text(x(value), foot + 18, o.name_of(value, step)) }
  end
  out[#out + 1] = o.axis and plot.text((LEFT + plot.WIDTH - RIGHT) / 2,
    foot + 37, o.axis, nil, "soft")
  return out
end

local function row(o, item, i, x)
  local y = TOP + (i - 0.5) * ROW
  local low, high = number.known(item.low), number.known(item.high)
  local class = item.class or "a"
  return {
    plot.text(LEFT - 10, y + 4, markup.label(item.name, NAME), "end"),
    low and high and {
      plot.line(x(low), y, x(high), y, "whisker " .. class),
      plot.line(x(low), y - 4, x(low), y + 4, "whisker " .. class),
      plot.line(x(high), y - 4, x(high), y + 4, "whisker " .. class),
    } or false,
    plot.mark(item.shape or "circle", x(item.value), y, 5, "dot " .. class),
    plot.text(plot.WIDTH - RIGHT + 10, y + 4, o.text_of(item.value),
      "start", "name"),
  }
end

local function mark_reference(o, x, foot)
  if not o.reference then return false end
  return plot.line(x(o.reference), TOP, x(o.reference), foot, "best")
end

--- A figure of dots.
-- @tparam table o as for `plot.figure`, without `height` and `drawing`, and:
-- @tparam {table,...} o.items `name`, `value`, and where known `low`, `high`;
--   `class` "a", "b" or "c", `shape`
-- @func o.text_of a value as text, at the right
-- @func[opt] o.name_of a value and the step between two as text, on the axis
-- @string[opt] o.axis what the axis shows
-- @number[opt] o.reference where a line goes through all rows
-- @treturn Node
function dots.figure(o)
  o.name_of = o.name_of or scale.share
  local low, high = range_of(o.items, o.reference)
  local x = scale.linear(low, high, LEFT, plot.WIDTH - RIGHT)
  local foot, rows = TOP + #o.items * ROW, {}
  for i, item in ipairs(o.items) do rows[i] = row(o, item, i, x) end
  o.height = foot + (o.axis and BOTTOM or BOTTOM - 20)
  o.drawing = { axis(o, x, low, high, foot), mark_reference(o, x, foot),
    rows }
  return plot.figure(o)
end

return dots
