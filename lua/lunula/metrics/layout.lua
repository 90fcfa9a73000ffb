--- Reports laid out in columns of text.
-- @module lunula.metrics.layout

local layout = {}

local WIDTH = 80  -- of a terminal, in columns
local LONGEST_LABEL = 32
local MOST_CONFUSIONS = 10

-- Characters, not bytes: UTF-8's continuation bytes take no column.
local function columns_of(text)
  local _, continued = text:gsub("[\128-\191]", "")
  return #text - continued
end

--- A label as it may stand in a cell: cut, with no control characters and no
-- end of a line.
-- @string label
-- @treturn string
function layout.shown(label)
  label = label:gsub("%c", "?")
  if columns_of(label) <= LONGEST_LABEL then return label end
  local kept, n = {}, 0
  for character in label:gmatch("[%z\1-\127\192-\255][\128-\191]*") do
    n = n + 1
    if n >= LONGEST_LABEL then break end
    kept[n] = character
  end
  return table.concat(kept) .. "~"
end

local shown = layout.shown

local function cells_in_line(row, widths, n_left)
  local line = {}
  for i, cell in ipairs(row) do
    local fill = (" "):rep(widths[i] - columns_of(cell))
    line[i] = i <= n_left and cell .. fill or fill .. cell
  end
  return table.concat(line, "  "):match "^.*%S" or ""
end

--- Rows of cells in columns: the first ones to the left, the others to the
-- right.
-- @tparam {{string,...},...} rows
-- @int n_left columns to the left
-- @treturn string a line a row
function layout.aligned(rows, n_left)
  local widths, lines = {}, {}
  for _, row in ipairs(rows) do
    for i, cell in ipairs(row) do
      widths[i] = math.max(widths[i] or 0, columns_of(cell))
    end
  end
  for i, row in ipairs(rows) do
    lines[i] = cells_in_line(row, widths, n_left)
  end
  return table.concat(lines, "\n") .. "\n"
end

local function fraction(number)
  return ("%.3f"):format(number)
end

local function count(number)
  return ("%d"):format(number)
end

-- The scores of a report without labels, or below those of its labels.
local function totals_of(report, totals, rows, blank)
  local n = count(report.n)
  for _, total in ipairs(totals) do
    local row = { total[2] }
    for i = 1, blank do row[i + 1] = "" end
    row[#row + 1] = fraction(report[total[1]])
    row[#row + 1] = n
    rows[#rows + 1] = row
  end
  return layout.aligned(rows, 1)
end

--- The scores of each label, then those of all.
-- @tparam table report with `labels` and `per_class`
-- @tparam {table,...} totals of all: the name in the report and the one shown
-- @treturn string
function layout.scores(report, totals)
  local rows = { { "", "precision", "recall", "F1", "support" } }
  for _, label in ipairs(report.labels) do
    local class = report.per_class[label]
    rows[#rows + 1] = { shown(label), fraction(class.precision),
      fraction(class.recall), fraction(class.f1), count(class.support) }
  end
  rows[#rows + 1] = { "" }
  return totals_of(report, totals, rows, 2)
end

--- Scores of what has no labels.
-- @tparam table report
-- @tparam {table,...} totals as for `scores`
-- @treturn string
function layout.totals(report, totals)
  return totals_of(report, totals, { { "", "score", "rows" } }, 0)
end

--- What it is worth to answer only what is sure enough.
-- @tparam table report with `selective`, or without
-- @treturn string empty where there is nothing to say
function layout.selective(report)
  local points = report.selective
  if not points or #points == 0 then return "" end
  local rows = { { "coverage" }, { "accuracy" }, { "least score" } }
  for i, point in ipairs(points) do
    rows[1][i + 1] = fraction(point.coverage)
    rows[2][i + 1] = fraction(point.accuracy)
    rows[3][i + 1] = ("%.4f"):format(point.threshold)
  end
  return layout.aligned(rows, 1) .. "\n"
end

local function matrix(report)
  local head = { "" }
  local rows = { head }
  for i, label in ipairs(report.labels) do
    head[i + 1] = shown(label)
    local row = { shown(label) }
    for j, number in ipairs(report.confusion[i]) do
      row[j + 1] = count(number)
    end
    rows[i + 1] = row
  end
  return "confusion (rows: right label, columns: predicted)\n"
    .. layout.aligned(rows, 1)
end

local function widest_line(text)
  local widest = 0
  for line in text:gmatch("[^\n]*") do
    widest = math.max(widest, columns_of(line))
  end
  return widest
end

local function more_frequent(a, b)
  if a.count ~= b.count then return a.count > b.count end
  if a.i ~= b.i then return a.i < b.i end
  return a.j < b.j
end

local function sorted_confusions(confusion)
  local found = {}
  for i, row in ipairs(confusion) do
    for j, number in ipairs(row) do
      if i ~= j and number > 0 then
        found[#found + 1] = { i = i, j = j, count = number }
      end
    end
  end
  table.sort(found, more_frequent)
  return found
end

local function most_frequent(report)
  local found = sorted_confusions(report.confusion)
  local rows = { { "right label", "predicted", "rows" } }
  for rank = 1, math.min(#found, MOST_CONFUSIONS) do
    local pair = found[rank]
    rows[rank + 1] = { shown(report.labels[pair.i]),
      shown(report.labels[pair.j]), count(pair.count) }
  end
  return ("most frequent confusions (%d of %d)\n"):format(#rows - 1, #found)
    .. layout.aligned(rows, 2)
end

--- The confusion matrix, or where it is too wide its largest numbers off the
-- diagonal.
-- @tparam table report from `metrics.report`
-- @treturn string
function layout.confusion(report)
  local text = matrix(report)
  if widest_line(text) <= WIDTH then return text end
  return most_frequent(report)
end

return layout
