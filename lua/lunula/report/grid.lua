--- Tables, in a box that scrolls where they are wider than the page.
-- @module lunula.report.grid

local markup = require "lunula.report.markup"

local e = markup.element

local grid = {}

local MOST = 200  -- rows that are shown

-- A browser takes a row that is no row in its layout for none: what it is is
-- said, then, for a screen reader.
local function role(columns, name)
  return columns.stacked and name or false
end

local function head_of(columns)
  local cells = {}
  for i, column in ipairs(columns) do
    cells[i] = column.name == "" and e.td { class = column.class }
      or e.th { scope = "col", class = column.class,
        role = role(columns, "columnheader"), column.name }
  end
  cells.role = role(columns, "row")
  return e.thead { role = role(columns, "rowgroup"), e.tr(cells) }
end

local function row_of(columns, row)
  local cells = {}
  for i, column in ipairs(columns) do
    local cell = row[i] or ""
    cells[i] = i == 1 and columns.named
      and e.th { scope = "row", class = column.class, cell }
      or e.td { class = column.class, role = role(columns, "cell"), cell }
  end
  cells.role = role(columns, "row")
  return e.tr(cells)
end

--- A box that scrolls, and that a keyboard reaches.
-- @string name what is in it, for a screen reader
-- @param content
-- @treturn Node
function grid.box(name, content)
  return e.div { class = "box", role = "group", tabindex = 0,
    ["aria-label"] = name, content }
end

--- A column of numbers, for `grid.new`.
-- @string name
-- @treturn table
function grid.number(name)
  return { name = name, class = "n" }
end

--- A column of texts, for `grid.new`.
-- @string name
-- @string[opt] class
-- @treturn table
function grid.text(name, class)
  return { name = name, class = class or false }
end

--- A table.
-- @string name what it holds, for a screen reader
-- @tparam {table,...} columns from `grid.number` and `grid.text`; with a true
--   `named`, the first cell of each row is the row's heading; with a true
--   `stacked`, long cells stand below the others where the page is narrow
-- @tparam {{content,...},...} rows those after the first 200 are counted only
-- @treturn {Node,...}
function grid.new(name, columns, rows)
  local body = {}
  for i = 1, math.min(#rows, MOST) do body[i] = row_of(columns, rows[i]) end
  body.role = role(columns, "rowgroup")
  return {
    grid.box(name, e.table { class = columns.stacked and "stacked" or false,
      role = role(columns, "table"), head_of(columns), e.tbody(body) }),
    #rows > MOST and e.p { class = "note",
      ("Of %d rows the first %d are shown."):format(#rows, MOST) },
  }
end

--- Names and what they stand for, in two columns.
-- @string name what it holds, for a screen reader
-- @tparam {{string,content},...} pairs
-- @treturn {Node,...}
function grid.pairs(name, pairs)
  local rows = {}
  for i, pair in ipairs(pairs) do
    rows[i] = e.tr { e.th { scope = "row", pair[1] }, e.td { pair[2] } }
  end
  return { grid.box(name, e.table { class = "pairs", e.tbody(rows) }) }
end

--- Parts of a section, side by side where there is room.
-- @tparam {content,...} parts without nil; false is nothing
-- @treturn Node
function grid.parts(parts)
  local out = {}
  for i, part in ipairs(parts) do out[i] = part and e.div { part } end
  return e.div { class = "parts", out }
end

return grid
