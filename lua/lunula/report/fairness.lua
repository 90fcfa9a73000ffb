--- Figures on fairness: how groups of texts differ in their labels, in a
-- model's errors, and in what a model says when their terms are exchanged. A
-- share is a table of `count`, `n`, `share`, `low` and `high`.
-- @module lunula.report.fairness

local dots = require "lunula.report.dots"
local fields = require "lunula.report.fields"
local figures = require "lunula.report.figures"
local grid = require "lunula.report.grid"
local markup = require "lunula.report.markup"
local number = require "lunula.report.number"

local e = markup.element

local fairness = {}

local NAME = 60
local MOST = 24         -- groups that are drawn
local MOST_LABELS = 3   -- that have a figure

local function share_text(share)
  share = fields.table(share)
  return number.with_interval(share.share, share.low, share.high)
end

local function text_of(group)
  return fields.text(group.group) or number.UNKNOWN
end

-- {======== pictures ========

local function items_of(groups, share_of)
  local items, rows = {}, {}
  for _, group in ipairs(groups) do
    local share = fields.table(share_of(group))
    local value = number.known(share.share)
    if value and #items < MOST then
      items[#items + 1] = { name = text_of(group), value = value,
        low = share.low, high = share.high }
      rows[#rows + 1] = { markup.data(group.group, NAME),
        number.count(share.n), number.share(value),
        number.interval(share.low, share.high) or number.UNKNOWN }
    end
  end
  return items, rows
end

local function picture(title, groups, all, share_of)
  local items, rows = items_of(groups, share_of)
  if #items == 0 then return false end
  local whole = number.known(fields.table(share_of(all)).share)
  return dots.figure { title = title, note = whole and "Dashed: all texts.",
    says = ("Shares of %s."):format(number.counted(#items, "group")),
    items = items,
    text_of = number.share, reference = whole, columns = { named = true,
      grid.text "Group", grid.number "Texts", grid.number "Share",
      grid.number "95 % interval" }, rows = rows }
end

-- Labels that have a picture: of two, one says it all.
local function drawn_labels(all)
  local names = fields.names(all.labels)
  if #names == 2 then return { names[2] } end
  for i = #names, MOST_LABELS + 1, -1 do names[i] = nil end
  return names
end

local function pictures(groups, all)
  local out = { picture("Errors by group", groups, all, function(group)
    return group.errors
  end) }
  for _, label in ipairs(drawn_labels(all)) do
    out[#out + 1] = picture("Share of the label "
      .. markup.label(label, NAME) .. " by group", groups, all,
      function(group) return fields.table(group.labels)[label] end)
  end
  return e.div { class = "figures", out }
end

-- }========

-- {======== tables ========

local function label_rows(groups)
  local rows = {}
  for _, group in ipairs(groups) do
    local right, wrong = fields.table(group.true_positives),
      fields.table(group.false_positives)
    for _, label in ipairs(fields.names(group.labels)) do
      rows[#rows + 1] = { markup.data(group.group, NAME),
        markup.data(label, NAME), share_text(group.labels[label]),
        share_text(right[label]), share_text(wrong[label]) }
    end
  end
  return rows
end

local function label_table(groups)
  local rows = label_rows(groups)
  return #rows > 0 and { e.h4 { "Each label of each group" },
    grid.new("Each label of each group", { named = true, grid.text "Group",
      grid.text "Label", grid.number "Of its texts",
      grid.number "True positives", grid.number "False positives" }, rows) }
end

local function exchanged(list)
  local rows = {}
  for i, pair in ipairs(fields.records(list)) do
    local names = fields.table(pair.groups)
    rows[i] = { { markup.data(names[1], NAME), " and ",
        markup.data(names[2], NAME) }, number.count(pair.rows),
      number.count(pair.asked), share_text(pair.flips),
      number.figure(pair.mean_change) }
  end
  return #rows > 0 and { e.h4 { "When the terms of two groups are exchanged" },
    grid.new("When the terms of two groups are exchanged", { named = true,
      grid.text "Groups", grid.number "Texts with them",
      grid.number "Asked", grid.number "Other answer",
      grid.number "Mean change of the score" }, rows) }
end

local function judged(found)
  local rows = number.known(fields.table(found.judged).rows)
  return rows and e.p { class = "note", ("Errors are those of %s texts%s.")
    :format(number.count(rows), found.judged.held_out == true
      and " that nothing was learnt from" or "") }
end

-- }========

--- The fairness figures of an audit.
-- @tparam table document
-- @treturn ?content nil where it tells none
function fairness.of(document)
  local found = fields.table(document.figures).fairness
  if type(found) ~= "table" then return nil end
  local groups = fields.records(found.groups)
  if #groups == 0 then return figures.of("Fairness", found) end
  return { judged(found) or false,
    pictures(groups, fields.table(found.all)), label_table(groups),
    exchanged(found.counterfactuals) }
end

return fairness
