--- Two systems on the same texts: how good each is, whether the difference is
-- chance, where each wins, and what each costs.
-- @module lunula.report.comparison

local difference = require "lunula.report.difference"
local dots = require "lunula.report.dots"
local fields = require "lunula.report.fields"
local grid = require "lunula.report.grid"
local markup = require "lunula.report.markup"
local number = require "lunula.report.number"

local e = markup.element

local comparison = {}

local NAME, TEXT, LABEL = 60, 300, 60
local MOST_WINS, MOST_LABELS = 10, 15

local function sides_of(document)
  local a, b = fields.table(document.a), fields.table(document.b)
  return a, b, fields.text(a.name) or "A", fields.text(b.name) or "B"
end

-- {======== accuracy ========

local function item(side, name, class, shape)
  return { name = name, value = number.known(side.accuracy), low = side.low,
    high = side.high, class = class, shape = shape }
end

local function accuracy(document)
  local a, b, a_name, b_name = sides_of(document)
  local items = { item(a, a_name, "a", "circle"),
    item(b, b_name, "b", "square") }
  if not (items[1].value and items[2].value) then return false end
  local rows = {}
  for i, side in ipairs { a, b } do
    rows[i] = { markup.data(items[i].name, NAME), number.share(side.accuracy),
      number.interval(side.low, side.high) or number.UNKNOWN,
      number.share(side.macro_f1) }
  end
  return dots.figure { title = "Accuracy of both",
    note = "Whiskers: 95 %.", axis = "accuracy", text_of = number.share,
    says = ("%s %s, %s %s."):format(markup.label(a_name, NAME),
      number.with_interval(a.accuracy, a.low, a.high),
      markup.label(b_name, NAME),
      number.with_interval(b.accuracy, b.low, b.high)),
    items = items, columns = { named = true, grid.text "System",
      grid.number "Accuracy", grid.number "95 % interval",
      grid.number "Macro F1" }, rows = rows }
end

local function difference_of(document)
  local _, _, a_name, b_name = sides_of(document)
  return difference.figure(document.difference, {
    title = "Difference, in points", name = "difference",
    note = { "Right of the dashed line ", markup.data(a_name, NAME),
      " is ahead, left of it ", markup.data(b_name, NAME), "." } })
end

-- }========

-- {======== the two by two of McNemar ========

-- texts that both have right: as it is told, or where the figures agree on it
local function both_right(document, only_a, only_b)
  if number.known(document.both) then return document.both end
  local n, a, b = number.known(document.n), sides_of(document)
  local share_a, share_b = number.known(a.accuracy), number.known(b.accuracy)
  if not (n and share_a and share_b and only_a and only_b) then return nil end
  local by_a = math.floor(share_a * n + 0.5) - only_a
  local by_b = math.floor(share_b * n + 0.5) - only_b
  return by_a == by_b and by_a or nil
end

local function verdict(p)
  if not number.known(p) then return "" end
  if p < 0.05 then
    return " So large a difference would seldom be chance."
  end
  return " The difference may well be chance."
end

local function mcnemar(document)
  local found = fields.table(document.mcnemar)
  local only_a, only_b = number.known(found.only_a),
    number.known(found.only_b)
  if not (only_a or only_b) then return false end
  local _, _, a_name, b_name = sides_of(document)
  local both = both_right(document, only_a, only_b)
  local neither = number.known(document.neither)
    or both and only_a and only_b and number.known(document.n)
    and document.n - both - only_a - only_b
  local a, b = markup.data(a_name, NAME), markup.data(b_name, NAME)
  local name = "Texts by who is right"
  return { e.h3 { name }, grid.new(name, { named = true, grid.text "",
      grid.number { b, " right" }, grid.number { b, " wrong" } },
      { { { a, " right" }, number.count(both), number.count(only_a) },
        { { a, " wrong" }, number.count(only_b), number.count(neither) } }),
    e.p { ("McNemar's exact test: %s."):format(number.chance(found.p)),
      verdict(found.p) } }
end

-- }========

-- Of each label the share that was found, the largest differences first.
local function labels(document)
  local list, rows = fields.records(document.per_label), {}
  for i, each in ipairs(list) do
    if i > MOST_LABELS then break end
    rows[i] = { markup.data(each.label, LABEL), number.count(each.n),
      number.share(each.a), number.share(each.b) }
  end
  if #rows == 0 then return false end
  local _, _, a_name, b_name = sides_of(document)
  local title = "Right by label, where they differ most"
  return { e.h3 { title }, grid.new(title, { named = true,
    grid.text "Label", grid.number "Texts",
    grid.number { markup.data(a_name, NAME) },
    grid.number { markup.data(b_name, NAME) } }, rows) }
end

-- {======== cost ========

-- what a system has beside its accuracy: the field, what it is called, and
-- how it is shown
local COSTS = {
  { "tokens_per_second", "Tokens a second", number.count },
  { "seconds", "Time", number.duration },
  { "cost_per_1000", "Cost of 1,000 texts", number.figure },
  { "memory_mib", "Memory, MiB", number.count },
  { "input_tokens", "Tokens read", number.count },
  { "output_tokens", "Tokens written", number.count },
  { "abstained", "Abstained", number.count },
  { "unparsed", "Answers that could not be read", number.count },
  { "answered_accuracy", "Right of what was answered", number.share },
}

local function costs(document)
  local a, b, a_name, b_name = sides_of(document)
  local rows = {}
  for _, cost in ipairs(COSTS) do
    if number.known(a[cost[1]]) or number.known(b[cost[1]]) then
      rows[#rows + 1] = { cost[2], cost[3](a[cost[1]]), cost[3](b[cost[1]]) }
    end
  end
  if #rows == 0 then return false end
  return { e.h3 { "Cost" }, grid.new("Cost", { named = true, grid.text "",
    grid.number { markup.data(a_name, NAME) },
    grid.number { markup.data(b_name, NAME) } }, rows) }
end

-- }========

-- {======== examples ========

-- the winner said the right label
local function win_rows(list, loser)
  local rows = {}
  for i, win in ipairs(list) do
    if i > MOST_WINS then break end
    rows[i] = { number.count(win.row), { markup.data(win.text, TEXT),
        fields.text(win.text_pair) and { " | ",
          markup.data(win.text_pair, TEXT) } or false },
      markup.data(win.label, LABEL), markup.data(win[loser], LABEL) }
  end
  return rows
end

local function wins_of(document, side, loser)
  local list = fields.records(fields.table(document.wins)[side])
  if #list == 0 then return false end
  local _, _, a_name, b_name = sides_of(document)
  local names = { a = a_name, b = b_name }
  return { e.h3 { "Where only ", markup.data(names[side], NAME), " is right" },
    grid.new("Where only " .. markup.label(names[side], NAME) .. " is right", {
      grid.number "Row", grid.text("Text", "long"), grid.text "Right label",
      grid.text { markup.data(names[loser], NAME), " said" } },
      win_rows(list, loser)) }
end

-- }========

local function left_out(document)
  local counts, rows = fields.table(document.left_out), {}
  for _, why in ipairs(fields.names(counts)) do
    if number.known(counts[why]) and counts[why] > 0 then
      rows[#rows + 1] = { markup.data(fields.words(why), NAME),
        number.count(counts[why]) }
    end
  end
  return #rows > 0 and { e.h3 { "Left out" },
    grid.new("Left out", { named = true, grid.text "Why",
      grid.number "Texts" }, rows) }
end

--- What a comparison found.
-- @tparam table document
-- @treturn {Node,...}
function comparison.of(document)
  return {
    e.div { class = "figures", accuracy(document),
      difference_of(document) },
    grid.parts { { mcnemar(document), left_out(document) }, costs(document),
      labels(document) },
    wins_of(document, "a", "b"), wins_of(document, "b", "a"),
  }
end

return comparison
