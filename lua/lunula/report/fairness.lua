--- Figures on fairness: how groups of texts differ in the data, and in a
-- model's errors.
-- @module lunula.report.fairness

local dots = require "lunula.report.dots"
local fields = require "lunula.report.fields"
local figures = require "lunula.report.figures"
local findings = require "lunula.report.findings"
local grid = require "lunula.report.grid"
local markup = require "lunula.report.markup"
local number = require "lunula.report.number"

local e = markup.element

local fairness = {}

local NAME = 60
local MOST = 24
local RATES = { "rate", "error_rate", "share", "accuracy" }

-- the rate that these records of groups have, if they are such
local function rate_of(list)
  local first = list[1]
  if not first or not fields.text(first.group) then return nil end
  for _, name in ipairs(RATES) do
    if number.known(first[name]) then return name end
  end
end

local function items_of(list, rate)
  local items = {}
  for _, record in ipairs(list) do
    local value = number.known(record[rate])
    if value and #items < MOST then
      items[#items + 1] = { name = fields.text(record.group)
        or number.UNKNOWN, value = value, low = record.low,
        high = record.high }
    end
  end
  return items
end

local function rows_of(list, rate)
  local rows = {}
  for i, record in ipairs(list) do
    rows[i] = { markup.data(record.group, NAME), number.count(record.n),
      number.share(record[rate]),
      number.interval(record.low, record.high) or number.UNKNOWN }
  end
  return rows
end

local function groups(list, rate)
  local items, named = items_of(list, rate), fields.words(rate)
  local title = fields.title(named) .. " by group"
  return e.div { class = "figures", dots.figure { title = title,
    says = ("%d groups."):format(#list), items = items,
    text_of = number.share, axis = named, columns = { named = true,
      grid.text "Group", grid.number "Texts", grid.number(named),
      grid.number "95 % interval" }, rows = rows_of(list, rate) } }
end

local function section(name, value)
  local list = fields.records(value)
  local title, rate = fields.title(name), rate_of(list)
  return { name ~= "fairness" and e.h4 { markup.data(title, NAME) },
    rate and groups(list, rate) or figures.of(title, value) }
end

--- The fairness figures of an audit or evaluation.
-- @tparam table document
-- @treturn ?{Node,...} nil where it tells none
function fairness.of(document)
  local out = {}
  for _, name in ipairs(fields.names(document.figures)) do
    if findings.is_fairness(name) then
      out[#out + 1] = section(name, document.figures[name])
    end
  end
  if type(document.fairness) == "table" then
    out[#out + 1] = section("fairness", document.fairness)
  end
  return #out > 0 and out or nil
end

return fairness
