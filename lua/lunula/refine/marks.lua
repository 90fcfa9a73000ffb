--- What a person decided of the issues that an audit found: `issues.csv` with
-- the columns `decision`, `label`, `who` and `why` beside the audit's own.
-- What can't be understood is refused with its line before anything is done.
-- @module lunula.refine.marks

local counted = require "lunula.counted"
local csv = require "lunula.data.csv"
local json = require "lunula.json"
local lines = require "lunula.data.lines"
local trimmed = require "lunula.trimmed"

local marks = {}

-- columns that are looked at, those that must be there, and those of them that
-- each line must have, too: spreadsheets leave out the commas before empty
-- fields at the end of a line
local COLUMNS = { "file", "row", "kind", "severity", "evidence", "suggestion",
  "decision", "label", "who", "why" }
local NEEDED = { "file", "row", "kind", "suggestion", "decision" }
local FILLED = { "file", "row", "kind", "suggestion" }
local DECISIONS = { accept = true, reject = true, relabel = true }
local MOST_ROWS = 2 ^ 53  -- what is more is no number of a row
local SHOWN = 10  -- unknown decisions, in a message

-- where each column stands that is looked at
local function places_of(names, input)
  local wanted, at = {}, {}
  for _, name in ipairs(COLUMNS) do wanted[name] = true end
  for i, name in ipairs(names) do
    local column = trimmed(name):lower()
    if at[column] then
      input:fail(1, "column '%s' comes twice", column)
    end
    at[column] = wanted[column] and i or nil
  end
  return at
end

local function header_of(input)
  local names = csv.record(input)
  if not names then error(input.name .. ": empty file", 0) end
  local advice = csv.advice(names)
  if advice then input:fail(1, "%s", advice) end
  local at = places_of(names, input)
  for _, name in ipairs(NEEDED) do
    if not at[name] then
      input:fail(1, "no column '%s'%s; there are: %s", name,
        name == "decision" and ": add it, with accept, reject or relabel in "
          .. "the rows that you decide" or "", table.concat(names, ", "))
    end
  end
  return at, #names
end

local function check_width(fields, at, width, input, line)
  local is_cut = false
  for _, name in ipairs(FILLED) do is_cut = is_cut or not fields[at[name]] end
  if is_cut or #fields > width then
    input:fail(line, "%s, the header has %d", counted(#fields, "field"),
      width)
  end
end

local function is_blank(fields)
  for _, field in ipairs(fields) do
    if field:find "%S" then return false end
  end
  return true
end

local function mark_of(fields, at, line)
  local mark = { line = line }
  for name, position in pairs(at) do mark[name] = fields[position] or "" end
  mark.decision = trimmed(mark.decision):lower()
  mark.label = trimmed(mark.label or "")
  return mark
end

local function relabel_of(suggestion)
  local label = suggestion:match "^relabel:(.*)$"
  return label and trimmed(label)
end

-- What an accepted suggestion does, and with what value.
local function accepted(mark, input)
  local suggestion = trimmed(mark.suggestion)
  local label, text = relabel_of(suggestion), mark.suggestion
    :match "^%s*replace: (.*)$"
  if mark.label ~= "" and mark.label ~= label then
    input:fail(mark.line, "accept is of the suggestion '%s', and the label "
      .. "'%s' is given: for that one the decision is relabel", suggestion,
      mark.label)
  elseif suggestion == "remove" then
    return "remove"
  elseif label and label ~= "" then
    return "relabel", label
  elseif text and text:find "%S" then
    return "replace", text
  elseif suggestion == "keep" or suggestion == "look" then
    return "none"
  end
  input:fail(mark.line, "accept: the suggestion '%s' is unknown; known: "
    .. "remove, keep, look, 'relabel: LABEL', 'replace: TEXT'", suggestion)
end

local function relabelled(mark, input)
  local label = mark.label ~= "" and mark.label
    or relabel_of(trimmed(mark.suggestion)) or ""
  if label == "" then
    input:fail(mark.line, "relabel: to which label? Write it in the column "
      .. "'label'")
  end
  return "relabel", label
end

-- what is written into the new file and the log
local WRITTEN = { "suggestion", "label", "who", "why" }

local function check_encoding(mark, input)
  for _, name in ipairs(WRITTEN) do
    local value = mark[name] or ""
    if json.utf8(value) ~= value then
      input:fail(mark.line, "%s: this is not UTF-8: save it as 'CSV UTF-8'",
        name)
    end
  end
end

local function settle(mark, input)
  check_encoding(mark, input)
  if mark.decision == "accept" then
    mark.action, mark.value = accepted(mark, input)
  elseif mark.decision == "relabel" then
    mark.action, mark.value = relabelled(mark, input)
  else
    mark.action = "none"
  end
  mark.number = mark.row:find "^%s*[1-9]%d*%s*$" and tonumber(mark.row)
  if not mark.number or mark.number > MOST_ROWS then
    input:fail(mark.line, "row: expected a number from 1, got '%s'", mark.row)
  end
end

local function refuse_unknown(unknown, input)
  if #unknown == 0 then return end
  local shown = {}
  for i = 1, math.min(#unknown, SHOWN) do
    shown[i] = ("'%s' in line %d"):format(unknown[i].decision, unknown[i].line)
  end
  if #unknown > SHOWN then
    shown[SHOWN + 1] = ("and %d more"):format(#unknown - SHOWN)
  end
  error(("%s: unknown decision %s; known: accept, reject, relabel, or nothing")
    :format(input.name, table.concat(shown, ", ")), 0)
end

local function of_file(found, name)
  found[name] = found[name] or { n = 0, decided = {} }
  return found[name]
end

local function read(input)
  local at, width = header_of(input)
  local found, unknown = {}, {}
  for fields, line in csv.record, input do
    if not is_blank(fields) then
      check_width(fields, at, width, input, line)
      local mark = mark_of(fields, at, line)
      local file = of_file(found, mark.file)
      file.n = file.n + 1
      if mark.decision ~= "" and not DECISIONS[mark.decision] then
        unknown[#unknown + 1] = mark
      elseif mark.decision ~= "" then
        settle(mark, input)
        file.decided[#file.decided + 1] = mark
      end
    end
  end
  refuse_unknown(unknown, input)
  return found
end

--- The marks of all files.
-- @string path of `issues.csv`
-- @treturn table by the file's name as it stands there: `n` issues, and
--   `decided`, an array of those that were, in order, each with the audit's
--   columns and a person's, `line`, `number` (of its row), `action` (remove,
--   relabel, replace or none) and `value`
-- @raise with the line, when a column is missing, or a decision, a suggestion
--   that was accepted, or a row can't be understood
-- @usage local found = marks.read "audit/issues.csv"
-- print(#found["train.csv"].decided)
function marks.read(path)
  local file, why = io.open(path, "rb")
  if not file then error(why, 0) end
  local ok, found = pcall(read, lines.of(file, path))
  file:close()
  if not ok then error(found, 0) end
  return found
end

return marks
