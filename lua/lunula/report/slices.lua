--- How well the texts of each slice are answered, with intervals.
-- @module lunula.report.slices

local dots = require "lunula.report.dots"
local fields = require "lunula.report.fields"
local grid = require "lunula.report.grid"
local markup = require "lunula.report.markup"
local number = require "lunula.report.number"
local parts = require "lunula.evaluate.slices"
local scale = require "lunula.report.scale"
local scores = require "lunula.report.scores"

local e = markup.element

local slices = {}

local MOST = 24  -- values of a column that are drawn
local NAME = 60

local function name_of(slice)
  return parts.title(slice) or number.UNKNOWN
end

-- the score that a column's slices are told by: the accuracy, or what a
-- regression has in its place
local function metric_of(column)
  return fields.text(column[1].metric) or "accuracy"
end

-- Those of the worst scores first, so that what is left out is the best; of
-- errors the order of the document, which has the worst first.
local function items_of(column, metric)
  local items = {}
  for _, slice in ipairs(column) do
    local value = number.known(slice[metric])
    if value then
      items[#items + 1] = { name = name_of(slice), value = value,
        low = slice.low, high = slice.high, i = #items }
    end
  end
  local is_share = scores.is_share(metric)
  table.sort(items, function(a, b)
    if is_share and a.value ~= b.value then return a.value < b.value end
    return a.i < b.i
  end)
  return items
end

local function interval_of(slice, metric)
  if scores.is_share(metric) then
    return number.interval(slice.low, slice.high) or number.UNKNOWN
  end
  return number.figure(slice.low) .. " to " .. number.figure(slice.high)
end

local function table_of(column, metric)
  local rows, columns = {}, { named = true, grid.text "Slice",
    grid.number "Texts", grid.number(fields.title(scores.name_of(metric))),
    grid.number "95 % interval" }
  for i, slice in ipairs(column) do
    rows[i] = { markup.data(name_of(slice), NAME), number.count(slice.n),
      scores.text(metric, slice[metric]), interval_of(slice, metric) }
    if number.known(slice.macro_f1) then
      columns[5] = grid.number "Macro F1"
      rows[i][5] = number.share(slice.macro_f1)
    end
  end
  return columns, rows
end

local function note_of(items, whole)
  local note = whole and "Dashed: all texts." or ""
  if #items > MOST then
    note = ("%s The %d worst of %s."):format(note, MOST,
      number.count(#items))
  end
  return note
end

local function said_of(items, metric)
  local worst, best = items[1], items[#items]
  return ("From %s (%s) to %s (%s)."):format(
    scores.text(metric, worst.value), markup.label(worst.name, NAME),
    scores.text(metric, best.value), markup.label(best.name, NAME))
end

local function figure_of(column, document)
  local metric = metric_of(column)
  local items, whole = items_of(column, metric),
    number.known(document[metric])
  local title = "By " .. markup.label(column.name, NAME)
  local columns, rows = table_of(column, metric)
  if #items == 0 then
    return e.div { e.p { title }, grid.new(title, columns, rows) }
  end
  local note, says = note_of(items, whole), said_of(items, metric)
  for i = #items, MOST + 1, -1 do items[i] = nil end
  return dots.figure { title = title, note = note, says = says,
    items = items, axis = scores.name_of(metric), reference = whole,
    text_of = function(value) return scores.text(metric, value) end,
    name_of = not scores.is_share(metric) and scale.name or nil,
    columns = columns, rows = rows }
end

--- The slices of an evaluation.
-- @tparam table document
-- @treturn ?Node nil where it tells none
function slices.of(document)
  local list = fields.records(document.slices)
  if #list == 0 then return nil end
  local figures = {}
  for i, column in ipairs(parts.by_column(list)) do
    figures[i] = figure_of(column, document)
  end
  return e.div { class = "figures", figures }
end

return slices
