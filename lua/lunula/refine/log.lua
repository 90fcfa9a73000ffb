--- The log of a refinement: JSON lines. The first is of the whole, `kind`
-- "refinement": the files with their hashes, and how many changes there were.
-- Each that follows is of one decided issue: what was done to its row, who
-- decided it, and why.
-- @module lunula.refine.log

local core = require "lunula.core"
local joined = require "lunula.data.joined"
local headed = require "lunula.headed"
local json = require "lunula.json"

local log = {}

--- What the first line says it is.
log.KIND = "refinement"

-- What was masked or removed since it was personal is not kept here, but its
-- hash.
local function before_of(mark, did)
  local before = did and did.before
  if before == nil then return json.null end
  if mark.kind ~= "personal_data" then return before end
  return { sha256 = core.sha256(tostring(before)) }
end

-- of a mark that another one of its row does the work of
local function note_of(mark, change)
  local by = change.remove or change[mark.action]
  if by and by ~= mark and mark.action ~= "none" then
    return ("done by line %d"):format(by.line)
  end
end

--- One decided issue as a line of the log.
-- @tparam table mark as from `marks.read`
-- @tparam table change of its row, as from `decide.row`
-- @tparam table done by action, what was: `before` and `after`
-- @tparam table place `time`, `file`, `issues`, `output_row`; `who`, for a mark
--   that has none
-- @treturn table; its `change` is what happened: remove, relabel, replace or
--   none
function log.entry(mark, change, done, place)
  local did = change[mark.action] == mark and done[mark.action] or nil
  local who = mark.who or ""
  return {
    time = place.time, file = place.file, row = mark.number,
    output_row = place.output_row or json.null,
    issue = ("%s:%d"):format(place.issues, mark.line), kind = mark.kind,
    severity = mark.severity, evidence = mark.evidence,
    suggestion = mark.suggestion, decision = mark.decision,
    change = did and mark.action or "none",
    before = before_of(mark, did),
    after = did and did.after or json.null,
    note = note_of(mark, change),
    who = who ~= "" and who or place.who or "", why = mark.why or "",
  }
end

--- Writes a log: whole, or not at all.
-- @string path
-- @tparam table head its first line, without `kind`
-- @tparam {table,...} entries as from `entry`
-- @raise when it can't be written
function log.write(path, head, entries)
  local first = { kind = log.KIND }
  for name, value in pairs(head) do first[name] = value end
  local at = -1
  core.io.write(path, joined(function()
    at = at + 1
    local line = at == 0 and first or entries[at]
    return line and json.encode(line) .. "\n"
  end))
end

local function fail(message, ...)
  error(message:format(...), 0)
end

local function checked_head(line, path)
  local head = json.values(line, path .. ":1")
  if type(head) ~= "table" or head.kind ~= log.KIND then
    fail("%s:1: expected the log that lunula refine writes", path)
  end
  for _, name in ipairs { "before", "after" } do
    local side = head[name]
    if type(side) ~= "table" or type(side.file) ~= "string"
        or type(side.sha256) ~= "string" then
      fail("%s:1: '%s': expected a file and its sha256", path, name)
    end
  end
  return head
end

--- Reads a log.
-- @string path
-- @treturn table its first line: `before` and `after`, each with `file`,
--   `sha256` and `rows`, and how many rows were `removed` and so on
-- @treturn {table,...} the lines that follow
-- @raise when it can't be read, or is no such log
-- @usage local head, changes = log.read "refined.csv.log.jsonl"
function log.read(path)
  return headed(path, checked_head, function(line, _, where)
    return json.values(line, where)
  end)
end

return log
