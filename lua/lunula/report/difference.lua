--- The difference of two accuracies, with its interval, beside a line at none.
-- @module lunula.report.difference

local dots = require "lunula.report.dots"
local fields = require "lunula.report.fields"
local grid = require "lunula.report.grid"
local number = require "lunula.report.number"

local difference = {}

local function ends_of(found)
  if not (number.known(found.low) and number.known(found.high)) then
    return number.UNKNOWN
  end
  return number.points(found.low) .. " to " .. number.points(found.high)
end

--- A figure of a difference.
-- @param found what a document has: `{ mean =, low =, high = }`
-- @tparam table o
-- @string o.title
-- @param[opt] o.note what to know to read it
-- @string o.name what is less what
-- @treturn Node|bool false where it is not known
function difference.figure(found, o)
  found = fields.table(found)
  local mean = number.known(found.mean)
  if not mean then return false end
  local ends = ends_of(found)
  return dots.figure { title = o.title, note = o.note,
    says = ("%s, 95 %% interval %s."):format(number.points(mean), ends),
    items = { { name = o.name, value = mean, low = found.low,
      high = found.high } }, reference = 0, text_of = number.points,
    name_of = number.points, columns = { grid.number "Difference, points",
      grid.number "95 % interval" },
    rows = { { number.points(mean), ends } } }
end

return difference
