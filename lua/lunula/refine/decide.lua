--- What becomes of a row of which several issues were decided.
-- To remove it beats all else; two changes of one thing must be the same one,
-- but for a damaged text with personal data, which is mended and then masked.
-- @module lunula.refine.decide

local masked = require("lunula.audit.personal").masked

local decide = {}

local function agreed(found, action, issues)
  local first
  for _, mark in ipairs(found) do
    if mark.action == action then
      if first and first.value ~= mark.value then
        error(("%s: lines %d and %d are of one row and differ: %s '%s' and "
          .. "'%s'; reject one of them"):format(issues, first.line, mark.line,
          action, first.value, mark.value), 0)
      end
      first = first or mark
    end
  end
  return first
end

-- Where a text is to be mended and personal data in it to be masked, as the
-- audit suggests, both are done: the mark that masks gets that text.
local function mend_and_mask(found, text)
  local mend, mask
  for _, mark in ipairs(found) do
    if mark.action == "replace" then
      if mark.kind == "encoding" then mend = mark end
      if mark.kind == "personal_data" then mask = mark end
    end
  end
  if not (mend and mask and text and mask.value == masked(text)) then
    return found
  end
  mask.value = masked(mend.value)
  local others = {}
  for _, mark in ipairs(found) do
    if mark ~= mend then others[#others + 1] = mark end
  end
  return others
end

--- The marks that count in a row: one for each thing that changes.
-- @tparam {table,...} found the row's, as from `marks.read`
-- @tparam ?string text the row's
-- @string issues where they stand, for the message
-- @treturn table `remove`, or `relabel` and `replace`: a mark each, or nil
-- @raise naming both lines, when two marks want another label or text
-- @usage local change = decide.row(found, row.text, "issues.csv")
-- if change.remove then ... end
function decide.row(found, text, issues)
  for _, mark in ipairs(found) do
    if mark.action == "remove" then return { remove = mark } end
  end
  return {
    relabel = agreed(found, "relabel", issues),
    replace = agreed(mend_and_mask(found, text), "replace", issues),
  }
end

--- The decided marks by row.
-- @tparam {table,...} decided
-- @treturn table arrays of marks, by the number of their row
function decide.by_row(decided)
  local rows = {}
  for _, mark in ipairs(decided) do
    local found = rows[mark.number] or {}
    rows[mark.number] = found
    found[#found + 1] = mark
  end
  return rows
end

return decide
