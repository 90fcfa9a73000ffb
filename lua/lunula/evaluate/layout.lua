--- What `lunula.evaluate` found beside the scores, as text for a terminal.
-- @module lunula.evaluate.layout

local columns = require "lunula.metrics.layout"
local slices = require "lunula.evaluate.slices"

local layout = {}

local BAR = 40        -- columns of a bar from 0 to 1
local LONGEST = 60    -- bytes of a text shown

local function number(value)
  return ("%.3f"):format(value)
end

local function whole(value)
  return ("%d"):format(value)
end

local function names_of(table_of)
  local names = {}
  for name in pairs(table_of) do names[#names + 1] = name end
  table.sort(names)
  return names
end

-- {======== intervals ========

local function intervals(report)
  local rows = { { "95 % interval", "score", "low", "high" } }
  for _, name in ipairs(names_of(report.intervals)) do
    local found = report.intervals[name]
    rows[#rows + 1] = { name, number(report[name]), number(found.low),
      number(found.high) }
  end
  return columns.aligned(rows, 1)
end

-- }========

-- {======== reliability ========

-- A bar to the share that is right, with a mark where the model is that sure:
-- a bar that ends before the mark is of answers that were too sure.
local function bar_of(bin)
  local full = math.floor(bin.accuracy * BAR + 0.5)
  local mark = math.min(math.floor(bin.confidence * BAR + 0.5), BAR - 1)
  local cells = {}
  for i = 1, BAR do
    cells[i] = i - 1 == mark and "|" or i <= full and "=" or " "
  end
  return table.concat(cells)
end

local function reliability(report)
  local rows = { { "how sure", "rows", "sure", "right",
    "0" .. (" "):rep(BAR - 2) .. "1" } }
  for _, bin in ipairs(report.reliability) do
    rows[#rows + 1] = { ("%.2f-%.2f"):format(bin.low, bin.high),
      whole(bin.n), number(bin.confidence), number(bin.accuracy),
      bar_of(bin) }
  end
  return ("reliability (ECE %.3f, Brier score %.3f): = right, | as sure\n")
    :format(report.ece, report.brier) .. columns.aligned(rows, 1)
end

-- }========

-- {======== slices ========

local NO_SCORES = { column = true, value = true, values = true, n = true,
  metric = true, low = true, high = true }

-- the score that the interval is of, then the others
local function scores_of(slice)
  local names = { slice.metric }
  for _, name in ipairs(names_of(slice)) do
    if not NO_SCORES[name] and name ~= slice.metric then
      names[#names + 1] = name
    end
  end
  return names
end

local function slice_row(slice, names)
  local row = { columns.shown(slices.title(slice)), whole(slice.n),
    number(slice[names[1]]), number(slice.low), number(slice.high) }
  for i = 2, #names do row[#row + 1] = number(slice[names[i]]) end
  return row
end

local function slices_of(report)
  local names = scores_of(report.slices[1])
  local parts, rows, column = {}, nil, nil
  for _, slice in ipairs(report.slices) do
    if slice.column ~= column then
      column = slice.column
      rows = { { "by " .. columns.shown(column), "rows", names[1], "low",
        "high" } }
      for i = 2, #names do rows[1][#rows[1] + 1] = names[i] end
      parts[#parts + 1] = rows
    end
    rows[#rows + 1] = slice_row(slice, names)
  end
  for i, part in ipairs(parts) do parts[i] = columns.aligned(part, 1) end
  return table.concat(parts, "\n")
end

-- }========

-- {======== the worst ========

local function said(value)
  if type(value) == "table" then value = table.concat(value, ",") end
  if type(value) == "number" then return ("%.4g"):format(value) end
  return columns.shown(value)
end

-- A text in one line, cut between characters.
local function text_of(text)
  text = text:gsub("[%c%s]+", " ")
  if #text <= LONGEST then return text end
  return text:sub(1, LONGEST):gsub("[\192-\255]?[\128-\191]*$", "") .. "~"
end

local function worst(report)
  if #report.worst == 0 then return "no wrong answers\n" end
  local lines = { "the worst answers (row: right label, answer, how sure)" }
  for i, found in ipairs(report.worst) do
    lines[i + 1] = ("%d: %s, %s, %.4f\n  %s"):format(found.row,
      said(found.label), said(found.predicted), found.score or found.loss,
      text_of(found.text))
  end
  if not report.worst[1].score then
    lines[1] = "the worst answers (row: right, answer, loss)"
  end
  return table.concat(lines, "\n") .. "\n"
end

-- }========

--- The sections of a report that `tostring` does not show.
-- @tparam table report as from `lunula.evaluate`
-- @bool with_worst whether the worst answers are one of them
-- @treturn string lines, with a blank one before each section
function layout.sections(report, with_worst)
  local sections = {}
  local function add(is_there, section)
    if is_there then sections[#sections + 1] = "\n" .. section(report) end
  end
  add(report.intervals, intervals)
  add(report.reliability, reliability)
  add(report.slices and #report.slices > 0, slices_of)
  add(with_worst and report.worst, worst)
  return table.concat(sections)
end

return layout
