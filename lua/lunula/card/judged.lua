--- The section of a card that says how good the model is: measures with their
-- intervals, each label's, the honesty of probabilities, and how it does on
-- parts of the data. What was not measured is said to be unknown.
--
-- Documents come from files that anybody may have written: of each field only
-- what is of its type counts.
-- @module lunula.card.judged

local fields = require "lunula.report.fields"
local markdown = require "lunula.card.markdown"
local options = require "lunula.options"
local parts = require "lunula.evaluate.slices"
local scores = require "lunula.card.scores"

local judged = {}

local is_number, shown = scores.is_number, scores.shown

local MOST_LABELS = 100  -- of a table, more tell no reader anything

-- {======== measures ========

local function measures(report)
  local rows, any = {}, false
  local intervals = type(report.intervals) == "table" and report.intervals
    or {}
  for i, score in ipairs(scores.of(report)) do
    local interval = scores.interval(score.name, intervals[score.name])
    any = any or interval ~= nil
    rows[i] = { score.title, shown(score.name, score.value), interval or "" }
  end
  if any then
    return markdown.table({ "Measure", "Value", "95 % interval" }, rows)
  end
  for _, row in ipairs(rows) do row[3] = nil end
  return markdown.table({ "Measure", "Value" }, rows) .. "\n\n"
    .. "Unknown: how far these figures would be off on other texts; nobody "
    .. "computed intervals (`lunula evaluate --json` does)."
end

local function per_label(report)
  if type(report.per_class) ~= "table" then return nil end
  local rows, names = {}, {}
  for name, figures in pairs(report.per_class) do
    if type(figures) == "table" then names[tostring(name)] = figures end
  end
  for _, name in ipairs(options.names(names)) do
    local figures = names[name]
    rows[#rows + 1] = { markdown.line(name),
      shown("precision", figures.precision), shown("recall", figures.recall),
      shown("f1", figures.f1), scores.count(figures.support) }
    if #rows == MOST_LABELS then break end
  end
  if #rows == 0 then return nil end
  return markdown.table({ "Label", "Precision", "Recall", "F1", "Texts" }, rows)
end

-- }========

-- {======== honesty ========

local function reliability(report)
  local rows = {}
  for _, bin in ipairs(fields.records(report.reliability)) do
    if is_number(bin.n) and bin.n > 0 then
      rows[#rows + 1] = { ("%s to %s"):format(shown("p", bin.low),
        shown("p", bin.high)), shown("p", bin.confidence),
        shown("p", bin.accuracy), scores.count(bin.n) }
    end
  end
  if #rows == 0 then return nil end
  return "How often it is right where it is so sure:\n\n" .. markdown.table(
    { "Probability", "Mean", "Right", "Texts" }, rows)
end

-- }========

-- {======== slices ========

local function title_of(slice)
  return markdown.line(parts.title(slice) or "unknown")
end

-- the measure that slices are compared by, of which they have an interval
local function measure_of(slices)
  local given = slices[1].metric
  for _, score in ipairs(scores.ALL) do
    if score.name == given then return score end
  end
  return scores.ALL[1]
end

local function slice_row(slice, measure)
  return { title_of(slice), scores.count(slice.n),
    shown(measure.name, slice[measure.name]),
    scores.interval(measure.name, slice) or "unknown",
    shown("macro_f1", slice.macro_f1) }
end

-- the lowest and the highest of those that were measured
local function ends_of(slices, name)
  local low, high
  for _, slice in ipairs(slices) do
    local value = slice[name]
    if is_number(value) then
      if not low or value < low[name] then low = slice end
      if not high or value > high[name] then high = slice end
    end
  end
  return low, high
end

local function overlap(low, high, name)
  if not scores.interval(name, low) or not scores.interval(name, high) then
    return ""
  end
  return low.high >= high.low and " Their intervals overlap."
    or " Their intervals do not overlap."
end

local function gap_of(column, measure)
  local name = measure.name
  local low, high = ends_of(column, name)
  if not low or low == high then return "" end
  return ("\n\nFrom the lowest (%s) to the highest (%s) it is %s.%s"):format(
    title_of(low), title_of(high),
    (shown(name, high[name] - low[name]):gsub(" %%$", " points")),
    overlap(low, high, name))
end

local function slices_by(column)
  local rows, measure = {}, measure_of(column)
  for i, slice in ipairs(column) do
    rows[i] = slice_row(slice, measure)
  end
  return ("By `%s`:\n\n"):format((column.name:gsub("[%c`]", " ")))
    .. markdown.table({ "Value", "Texts", measure.title, "95 % interval",
    "Macro F1" }, rows) .. gap_of(column, measure)
end

local function slices_of(report)
  local sections = {}
  for _, column in ipairs(parts.by_column(fields.records(report.slices))) do
    sections[#sections + 1] = slices_by(column)
  end
  return sections[1] and table.concat(sections, "\n\n") or nil
end

-- }========

-- the measure of a bar: of "slice_accuracy" and "accuracy_low", accuracy
local function measure_in(name)
  name = name:gsub("^slice_", "")
  return (name:gsub("_low$", ""):gsub("_high$", ""))
end

local function bars_of(report)
  local items = {}
  for _, bar in ipairs(fields.records(report.required)) do
    local name = tostring(bar.name)
    local measure, is_most = measure_in(name), is_number(bar.most)
    items[#items + 1] = ("%s of at %s %s: %s (%s)"):format(
      markdown.line(name), is_most and "most" or "least",
      shown(measure, is_most and bar.most or bar.least),
      bar.ok == true and "met" or "missed", shown(measure, bar.found))
  end
  return items[1] and "Asked for:\n\n" .. markdown.list(items) or nil
end

-- What one report says.
local function one(report)
  local sections = { ("### On %s"):format(markdown.line(report.title)),
    ("%s texts%s."):format(scores.count(report.n), report.note or "") }
  local function add(section) sections[#sections + 1] = section end
  add(measures(report))
  add(per_label(report))
  add(reliability(report))
  add(slices_of(report))
  add(bars_of(report))
  return table.concat(sections, "\n\n")
end

-- whether any report has what a field is for
local function none_has(reports, field)
  for _, report in ipairs(reports) do
    if type(report[field]) == "table" and next(report[field]) then
      return false
    end
  end
  return true
end

--- The section.
-- @tparam {table,...} reports of evaluations; each with a `title`, the name of
--   its file
-- @treturn string
function judged.section(reports)
  if #reports == 0 then
    return "Unknown: nobody said how the model does on texts that it has not "
      .. "learnt from (`lunula evaluate MODEL F --json FILE` measures it)."
  end
  local sections = {}
  for i, report in ipairs(reports) do sections[i] = one(report) end
  if none_has(reports, "slices") then
    sections[#sections + 1] = "Unknown: whether the model does worse for "
      .. "some groups or kinds of text; nobody measured it by slices "
      .. "(`lunula evaluate --slice COL`)."
  end
  return table.concat(sections, "\n\n")
end

return judged
