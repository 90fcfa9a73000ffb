--- Which labels are taken for which: a matrix of counts and shares of each
-- row, or where there are too many labels its largest numbers off the
-- diagonal. What is right is of one colour and stands in a frame, what is wrong
-- of another.
-- @module lunula.report.confusion

local fields = require "lunula.report.fields"
local grid = require "lunula.report.grid"
local markup = require "lunula.report.markup"
local number = require "lunula.report.number"
local style = require "lunula.report.style"

local e = markup.element

local confusion = {}

local MOST_LABELS = 20  -- of a matrix
local UPRIGHT = 5       -- from here on the names above stand upright
local MOST_PAIRS = 15
local MOST_SHOWN = 12   -- labels whose scores are not folded away
local NAME = 40         -- characters of a label

local function label_of(document, i)
  return markup.data(fields.table(document.labels)[i], NAME)
end

local function count_at(document, i, j)
  return number.known(fields.table(fields.table(document.confusion)[i])[j])
    or 0
end

local function row_total(document, i, n)
  local total = 0
  for j = 1, n do total = total + count_at(document, i, j) end
  return total
end

local function share_of(count, total)
  return total > 0 and count / total or 0
end

-- a share that is not quite nothing says so
local function percent(share)
  if share > 0 and share < 0.005 then return "<" .. number.share(0.01, 0) end
  return number.share(share, 0)
end

-- {======== a matrix ========

local function cell(count, total, is_right)
  local share = share_of(count, total)
  local level = math.ceil(math.min(math.max(share, 0), 1) * style.LEVELS)
  return e.td {
    class = (is_right and "right r" or "wrong w") .. number.fixed(level, 0),
    number.count(count),
    count > 0 and e.small { " " .. percent(share) } or false,
  }
end

local function matrix_row(document, i, n)
  local total = row_total(document, i, n)
  local cells = { e.th { scope = "row", label_of(document, i) } }
  for j = 1, n do
    cells[j + 1] = cell(count_at(document, i, j), total, i == j)
  end
  cells[n + 2] = e.td { class = "n", number.count(total) }
  return e.tr(cells)
end

local function head(document, n)
  local cells = { e.td { "right label" } }
  for j = 1, n do
    cells[j + 1] = e.th { scope = "col", e.span { label_of(document, j) } }
  end
  cells[n + 2] = e.th { scope = "col", class = "n", "rows" }
  return e.thead { e.tr(cells) }
end

local function matrix(document, n)
  local rows = {}
  for i = 1, n do rows[i] = matrix_row(document, i, n) end
  return e.figure {
    e.figcaption { e.b { "Confusion matrix" }, " A row holds the texts of "
      .. "a label, a column what was said of them; shares are of the row. "
      .. "Framed: right." },
    grid.box("Confusion matrix", e.table {
      class = "matrix" .. (n >= UPRIGHT and " upright" or ""),
      head(document, n), e.tbody(rows) }),
  }
end

-- }========

-- {======== pairs ========

local function more_frequent(a, b)
  if a.count ~= b.count then return a.count > b.count end
  if a.i ~= b.i then return a.i < b.i end
  return a.j < b.j
end

local function pairs_of(document, n)
  local found = {}
  for i = 1, n do
    for j, value in ipairs(fields.table(document.confusion[i])) do
      local count = j <= n and i ~= j and number.known(value) or 0
      if count > 0 then found[#found + 1] = { i = i, j = j, count = count } end
    end
  end
  table.sort(found, more_frequent)
  return found
end

local function pair_table(document, n)
  local found, rows = pairs_of(document, n), {}
  for rank = 1, math.min(#found, MOST_PAIRS) do
    local pair = found[rank]
    local total = row_total(document, pair.i, n)
    rows[rank] = { label_of(document, pair.i), label_of(document, pair.j),
      number.count(pair.count), percent(share_of(pair.count, total)) }
  end
  return {
    e.p { e.b { "Most confused labels." }, (" The %s largest numbers of %s "
      .. "that are off the diagonal, of %s labels."):format(#rows,
      number.count(#found), number.count(n)) },
    grid.new("Most confused labels", { grid.text "Right label",
      grid.text "What was said", grid.number "Texts",
      grid.number "Of the label's texts" }, rows),
  }
end

-- }========

--- Whether the confusions are a matrix that takes all of a wide page.
-- @tparam table document
-- @treturn bool
function confusion.is_wide(document)
  local n = #fields.table(document.labels)
  return n >= UPRIGHT and n <= MOST_LABELS
end

--- The confusions of an evaluation.
-- @tparam table document
-- @treturn ?Node nil where it tells none
function confusion.of(document)
  local n = #fields.table(document.labels)
  if n == 0 or #fields.table(document.confusion) < n then return nil end
  return n <= MOST_LABELS and matrix(document, n) or pair_table(document, n)
end

-- {======== each label ========

local function score_row(label, class)
  class = fields.table(class)
  return { markup.data(label, NAME), number.share(class.precision),
    number.share(class.recall), number.share(class.f1),
    number.count(class.support), f1 = number.known(class.f1) or -1 }
end

local COLUMNS = { named = true, grid.text "Label", grid.number "Precision",
  grid.number "Recall", grid.number "F1", grid.number "Texts" }

-- the worst, and all of them folded away
local function score_tables(rows)
  local worst, name = {}, "Scores of each label, the worst first"
  for i = 1, math.min(#rows, MOST_SHOWN) do worst[i] = rows[i] end
  return { grid.new(name, COLUMNS, worst),
    #rows > #worst and e.details {
      e.summary { ("All %s labels"):format(number.count(#rows)) },
      grid.new(name, COLUMNS, rows) } }
end

--- Precision, recall and F1 of each label, the worst first.
-- @tparam table document
-- @treturn ?{Node,...} nil where it tells none
function confusion.per_label(document)
  local per_class, rows = fields.table(document.per_class), {}
  for i, label in ipairs(fields.table(document.labels)) do
    if per_class[label] then
      rows[#rows + 1] = score_row(label, per_class[label])
      rows[#rows].i = i
    end
  end
  if #rows == 0 then return nil end
  table.sort(rows, function(a, b)
    if a.f1 ~= b.f1 then return a.f1 < b.f1 end
    return a.i < b.i
  end)
  return score_tables(rows)
end

-- }========

return confusion
