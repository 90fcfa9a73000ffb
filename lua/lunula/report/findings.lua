--- What a data audit found: counts by kind and severity, examples, figures,
-- and what was not looked for.
-- @module lunula.report.findings

local fields = require "lunula.report.fields"
local figures = require "lunula.report.figures"
local grid = require "lunula.report.grid"
local markup = require "lunula.report.markup"
local number = require "lunula.report.number"
local plot = require "lunula.report.plot"
local scale = require "lunula.report.scale"

local e = markup.element

local findings = {}

local SEVERITIES = { "high", "medium", "low" }
local BAR, ROW, GAP = 15, 30, 2
local LEFT, RIGHT = 138, 112  -- room for names, and for numbers
local NAME, PATH, TEXT = 20, 120, 300
local MOST_EXAMPLES = 5
local MOST_KINDS = 40
local FAIRNESS = "fairness"  -- figures that have a place of their own

-- {======== counts ========

local function examples_of(document, kind)
  return fields.records(fields.table(document.examples)[kind])
end

-- What there is of a kind, by severity. Where the document does not say, the
-- examples may, if they agree.
local function by_severity(document, kind, n)
  local told = fields.table(fields.table(document.severities)[kind])
  if next(told) ~= nil then return told end
  local only
  for _, example in ipairs(examples_of(document, kind)) do
    if only and only ~= example.severity then return {} end
    only = fields.text(example.severity)
  end
  return only and { [only] = n } or {}
end

local function words_of(parts)
  local words = {}
  for _, severity in ipairs(SEVERITIES) do
    local n = number.known(parts[severity])
    if n and n > 0 then
      words[#words + 1] = number.count(n) .. " " .. severity
    end
  end
  return table.concat(words, ", ")
end

-- the kinds, the most frequent first
local function kinds_of(document)
  local found = {}
  for _, kind in ipairs(fields.names(document.counts)) do
    local n = number.known(document.counts[kind])
    if n then
      local parts = by_severity(document, kind, n)
      found[#found + 1] = { kind = kind, n = n, parts = parts,
        words = words_of(parts) }
    end
  end
  table.sort(found, function(a, b)
    if a.n ~= b.n then return a.n > b.n end
    return a.kind < b.kind
  end)
  return found
end

-- the parts of a bar, side by side; and where the last one ends
local function parts_of(kind, y, x)
  local at, out = LEFT, {}
  local function part(severity, n)
    if not n or n <= 0 then return end
    local width = math.max(x(math.min(n, kind.n)) - LEFT, 1.5)
    out[#out + 1] = plot.draw.rect { x = at, y = y - BAR / 2, width = width,
      height = BAR, class = "bar " .. severity }
    at = at + width + GAP
  end
  for _, severity in ipairs(SEVERITIES) do
    part(severity, number.known(kind.parts[severity]))
  end
  if #out == 0 then part("unknown", kind.n) end
  return out, at
end

-- the number at a bar's end, and how many of it are bad
local function number_of(kind)
  local high = number.known(kind.parts.high)
  local text = number.count(kind.n)
  if not high or high <= 0 then return text end
  return high == kind.n and text .. ", all high"
    or ("%s, %s high"):format(text, number.count(high))
end

local function bar(kind, i, x)
  local y = 8 + (i - 0.5) * ROW
  local parts, right = parts_of(kind, y, x)
  return { plot.text(LEFT - 10, y + 4,
      markup.label(fields.words(kind.kind), NAME), "end"), parts,
    plot.text(right + 6, y + 4, number_of(kind), "start", "name") }
end

local function bars(kinds)
  local most, out = 0, {}
  for _, kind in ipairs(kinds) do most = math.max(most, kind.n) end
  local x = scale.linear(0, math.max(most, 1), LEFT, plot.WIDTH - RIGHT)
  for i, kind in ipairs(kinds) do out[i] = bar(kind, i, x) end
  out[#out + 1] = plot.line(LEFT, 8, LEFT, 8 + #kinds * ROW, "axis")
  return out
end

local function count_rows(kinds)
  local rows = {}
  for i, kind in ipairs(kinds) do
    rows[i] = { markup.data(fields.words(kind.kind), TEXT),
      number.count(kind.n), kind.words }
  end
  return rows
end

local function severity_key()
  local parts = { "By severity: " }
  for i, severity in ipairs(SEVERITIES) do
    parts[#parts + 1] = i > 1 and ", " or ""
    parts[#parts + 1] = e.span { class = "key " .. severity, severity }
  end
  parts[#parts + 1] = " (in this order in a bar)."
  return parts
end

local function counts(document)
  local kinds = kinds_of(document)
  if #kinds == 0 then return e.p { "Nothing was found." } end
  local rows, total = count_rows(kinds), 0
  for _, kind in ipairs(kinds) do total = total + kind.n end
  for i = #kinds, MOST_KINDS + 1, -1 do kinds[i] = nil end
  return plot.figure {
    title = "What was found", note = severity_key(),
    says = ("%s of %s; most of them: %s, %s."):format(
      number.counted(total, "finding"), number.counted(#rows, "kind"),
      markup.label(fields.words(kinds[1].kind), NAME),
      number.count(kinds[1].n)),
    height = 16 + #kinds * ROW, drawing = bars(kinds),
    columns = { named = true, grid.text "Kind", grid.number "Lines",
      grid.text "By severity" }, rows = rows }
end

-- }========

-- {======== examples, files, figures ========

local function example_row(kind, found)
  return { fields.words(kind), { markup.data(found.file, PATH), ":",
      number.known(found.row) and number.fixed(found.row, 0) or "?" },
    markup.data(found.severity, NAME), markup.data(found.evidence, TEXT),
    markup.data(found.suggestion, TEXT) }
end

local function examples(document)
  local rows = {}
  for _, kind in ipairs(kinds_of(document)) do
    for i, found in ipairs(examples_of(document, kind.kind)) do
      if i > MOST_EXAMPLES then break end
      rows[#rows + 1] = example_row(kind.kind, found)
    end
  end
  return #rows > 0 and { e.h3 { "Examples" }, grid.new("Examples", {
    stacked = true, grid.text "Kind", grid.text "Place", grid.text "Severity",
    grid.text("Evidence", "long"), grid.text("Suggestion", "long") }, rows) }
end

local function files(document)
  local rows = {}
  for i, file in ipairs(fields.records(document.files)) do
    rows[i] = { markup.data(file.file, PATH), markup.data(file.part, NAME),
      number.count(file.rows) }
  end
  return #rows > 0 and { e.h3 { "Files" },
    grid.new("Files", { named = true, grid.text "File", grid.text "Part",
      grid.number "Rows" }, rows) }
end

local function other_figures(document)
  local parts = {}
  for _, name in ipairs(fields.names(document.figures)) do
    if name ~= FAIRNESS then
      local title = fields.title(name)
      parts[#parts + 1] = { e.h4 { markup.data(title, TEXT) },
        figures.of(title, document.figures[name]) }
    end
  end
  return #parts > 0 and { e.h3 { "Figures" }, grid.parts(parts) }
end

local function skipped(document)
  local rows = {}
  for _, name in ipairs(fields.names(document.skipped)) do
    rows[#rows + 1] = { markup.data(fields.words(name), TEXT),
      markup.data(document.skipped[name], TEXT) }
  end
  return #rows > 0 and { e.h3 { "Not looked for" },
    grid.new("Not looked for", { named = true, grid.text "What",
      grid.text "Why" }, rows) }
end

-- }========

--- What an audit found.
-- @tparam table document
-- @treturn {Node,...}
function findings.of(document)
  return {
    e.div { class = "figures", counts(document),
      e.div { files(document), skipped(document) } },
    examples(document), other_figures(document),
  }
end

return findings
