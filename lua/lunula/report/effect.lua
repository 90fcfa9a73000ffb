--- What a refinement of the data did to the accuracy on validation texts:
-- before and after it, the difference, and what was changed.
-- @module lunula.report.effect

local difference = require "lunula.report.difference"
local dots = require "lunula.report.dots"
local fields = require "lunula.report.fields"
local grid = require "lunula.report.grid"
local markup = require "lunula.report.markup"
local number = require "lunula.report.number"

local e = markup.element

local effect = {}

local PATH, NAME = 200, 60
local SIDES = { { "before", "b", "square" }, { "after", "a", "circle" } }

local function accuracies(document)
  local items, rows, said = {}, {}, {}
  for i, look in ipairs(SIDES) do
    local name, side = look[1], fields.table(document[look[1]])
    if not number.known(side.accuracy) then return false end
    items[i] = { name = name, value = side.accuracy, low = side.low,
      high = side.high, class = look[2], shape = look[3] }
    rows[i] = { name, number.share(side.accuracy),
      number.interval(side.low, side.high) or number.UNKNOWN }
    said[i] = name .. " " .. number.with_interval(side.accuracy, side.low,
      side.high)
  end
  return dots.figure { title = "Accuracy before and after",
    note = ("On %s that neither model learnt from. Whiskers: 95 %%."):format(
      number.counted(number.known(document.n) or 0, "validation text")),
    axis = "accuracy", text_of = number.share,
    says = table.concat(said, ", ") .. ".", items = items,
    columns = { named = true, grid.text "", grid.number "Accuracy",
      grid.number "95 % interval" }, rows = rows }
end

local function verdict(found)
  local low, high = number.known(found.low), number.known(found.high)
  if not (low and high) then return nil end
  if low > 0 then return "The refined file is better." end
  if high < 0 then return "The refined file is worse." end
  return "No difference is shown."
end

local function changes(document)
  local all, rows = fields.table(document.changes), {}
  for _, kind in ipairs(fields.names(all)) do
    local counts = fields.table(all[kind])
    for _, what in ipairs(fields.names(counts)) do
      rows[#rows + 1] = { markup.data(fields.words(kind), NAME),
        markup.data(what, NAME), number.count(counts[what]) }
    end
  end
  return #rows > 0 and { e.h3 { "What was changed" },
    grid.new("What was changed", { named = true, grid.text "Issue",
      grid.text "Change", grid.number "Rows" }, rows) }
end

local function files(document)
  local rows = {}
  for i, look in ipairs(SIDES) do
    local side = fields.table(document[look[1]])
    rows[i] = { look[1], markup.data(fields.text(side.file)
      or number.UNKNOWN, PATH), number.count(side.rows) }
  end
  return { e.h3 { "Learnt from" }, grid.new("Learnt from", { named = true,
    grid.text "", grid.text "File", grid.number "Rows" }, rows),
    (number.known(document.runs) or 0) > 1 and e.p { class = "note",
      ("Means of %s pairs of trainings, each of another seed."):format(
        number.count(document.runs)) } or false }
end

--- What a refinement did.
-- @tparam table document
-- @treturn {Node,...}
function effect.of(document)
  return {
    e.div { class = "figures", accuracies(document),
      difference.figure(document.difference, {
        title = "What the refinement did, in points",
        note = verdict(fields.table(document.difference)),
        name = "after \226\136\146 before" }) },
    grid.parts { changes(document), files(document) },
  }
end

return effect
