--- How well the texts of each slice are answered, with intervals.
-- @module lunula.report.slices

local dots = require "lunula.report.dots"
local fields = require "lunula.report.fields"
local grid = require "lunula.report.grid"
local markup = require "lunula.report.markup"
local number = require "lunula.report.number"

local e = markup.element

local slices = {}

local MOST = 24  -- values of a column that are drawn
local NAME = 60

-- the slices of each column, in the order of the document
local function by_column(list)
  local columns, found = {}, {}
  for _, slice in ipairs(list) do
    local name = fields.text(slice.column) or "slice"
    if not found[name] then
      found[name] = { name = name }
      columns[#columns + 1] = found[name]
    end
    table.insert(found[name], slice)
  end
  return columns
end

local function name_of(slice)
  local value = slice.value
  if value == "" then return "(empty)" end
  if type(value) == "number" then return number.plain(value) end
  if type(value) == "boolean" then return tostring(value) end
  return fields.text(value) or number.UNKNOWN
end

-- the worst first, so that what is left out is the best
local function items_of(column)
  local items = {}
  for _, slice in ipairs(column) do
    local value = number.known(slice.accuracy)
    if value then
      items[#items + 1] = { name = name_of(slice), value = value,
        low = slice.low, high = slice.high, i = #items }
    end
  end
  table.sort(items, function(a, b)
    if a.value ~= b.value then return a.value < b.value end
    return a.i < b.i
  end)
  return items
end

local function rows_of(column)
  local rows = {}
  for i, slice in ipairs(column) do
    rows[i] = { markup.data(name_of(slice), NAME), number.count(slice.n),
      number.share(slice.accuracy),
      number.interval(slice.low, slice.high) or number.UNKNOWN,
      number.share(slice.macro_f1) }
  end
  return rows
end

local COLUMNS = { named = true, grid.text "Slice", grid.number "Texts",
  grid.number "Accuracy", grid.number "95 % interval",
  grid.number "Macro F1" }

local function note_of(items, whole)
  local note = whole and "Dashed: all texts." or ""
  if #items > MOST then
    note = ("%s The %d worst of %s."):format(note, MOST,
      number.count(#items))
  end
  return note
end

local function figure_of(column, whole)
  local items = items_of(column)
  local title = "By " .. markup.label(column.name, NAME)
  if #items == 0 then
    return { e.p { title }, grid.new(title, COLUMNS, rows_of(column)) }
  end
  local note = note_of(items, whole)
  local worst, best = items[1], items[#items]
  for i = #items, MOST + 1, -1 do items[i] = nil end
  return dots.figure { title = title, note = note,
    says = ("Accuracy from %s (%s) to %s (%s)."):format(
      number.share(worst.value), markup.label(worst.name, NAME),
      number.share(best.value), markup.label(best.name, NAME)),
    items = items, text_of = number.share, axis = "accuracy",
    reference = whole, columns = COLUMNS, rows = rows_of(column) }
end

--- The slices of an evaluation.
-- @tparam table document
-- @treturn ?Node nil where it tells none
function slices.of(document)
  local list = fields.records(document.slices)
  if #list == 0 then return nil end
  local figures, whole = {}, number.known(document.accuracy)
  for i, column in ipairs(by_column(list)) do
    figures[i] = figure_of(column, whole)
  end
  return e.div { class = "figures", figures }
end

return slices
