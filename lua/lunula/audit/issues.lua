--- What an audit has found: issues of rows, figures of the whole, and what was
-- not looked for.
-- Detectors add to it in any order; it is read by file, row and severity. An
-- issue takes a few hundred bytes: large data may have very many.
-- @classmod lunula.audit.issues

local csv = require "lunula.data.csv"
local excerpt = require "lunula.audit.excerpt"
local files = require("lunula.core").io
local json = require "lunula.json"
local report = require "lunula.report"

local Issues = {}
Issues.__index = Issues

local HEADER = "file,row,kind,severity,evidence,suggestion\n"
local EXAMPLES = 5     -- of a kind, in the summary
local TOGETHER = 1000  -- lines written as one piece

--- The severities, the worst first.
Issues.SEVERITIES = { "high", "medium", "low" }

--- The files that are written.
Issues.FILES = { "issues.csv", "summary.json", "report.html" }

--- The kinds of issues.
Issues.KINDS = {
  "exact_duplicate", "near_duplicate", "semantic_duplicate", "leak",
  "label_conflict", "label_error", "outlier", "rare_label", "truncated",
  "encoding", "language", "empty", "boilerplate", "personal_data",
  "counterfactual",
}

local function places(list)
  local place = {}
  for i, name in ipairs(list) do place[name] = i end
  return place
end

local SEVERITY = places(Issues.SEVERITIES)
local KIND = places(Issues.KINDS)

--- Nothing found yet.
-- @tparam {table,...} of_files `{ path=, part=, rows= }`, in their order
-- @treturn issues
function Issues.new(of_files)
  local paths, file = {}, {}
  for i, each in ipairs(of_files) do
    paths[i], file[each.path] = each.path, i
  end
  return setmetatable({ n = 0, paths = paths, file = file, key = {}, kind = {},
    evidence = {}, suggestion = {}, figures = {}, not_done = {} }, Issues)
end

-- Sorts by file, then row, then severity: all of it one number.
local FILE, ROW = 2 ^ 34, 4

local function key_of(self, place, severity)
  local file = self.file[place.file]
    or error("audit: no file '" .. tostring(place.file) .. "'", 0)
  return file * FILE + place.number * ROW + severity
end

--- Adds an issue.
-- @tparam table place a row, or `{ file=, number= }`
-- @string kind one of `KINDS`
-- @string severity "high", "medium" or "low"
-- @string evidence what was seen, for a person
-- @string suggestion `remove`, `keep`, `relabel: LABEL`, `replace: TEXT` or
--   `look`
-- @raise when there is no such kind or severity
-- @usage found:add(row, "empty", "high", "no text", "remove")
function Issues:add(place, kind, severity, evidence, suggestion)
  if not KIND[kind] or not SEVERITY[severity] then
    error(("audit: no issue '%s' of severity '%s'"):format(tostring(kind),
      tostring(severity)), 0)
  end
  local n = self.n + 1
  self.n, self.order = n, nil
  self.key[n] = key_of(self, place, SEVERITY[severity])
  self.kind[n] = KIND[kind]
  self.evidence[n] = excerpt.line(evidence)
  self.suggestion[n] = json.utf8(suggestion)
end

--- Puts a figure into the summary.
-- @string name
-- @param value number, string or plain table
function Issues:figure(name, value)
  self.figures[name] = value
end

--- Says what was not looked for.
-- @string name of the check
-- @string why
function Issues:skipped(name, why)
  self.not_done[name] = why
end

-- The numbers of all issues, in the order in which they are read.
local function order_of(self)
  if self.order then return self.order end
  local order, key = {}, self.key
  for i = 1, self.n do order[i] = i end
  table.sort(order, function(a, b)
    if key[a] ~= key[b] then return key[a] < key[b] end
    return a < b
  end)
  self.order = order
  return order
end

local function issue_of(self, i)
  local key = self.key[i]
  return {
    file = self.paths[math.floor(key / FILE)],
    row = math.floor(key % FILE / ROW),
    kind = Issues.KINDS[self.kind[i]],
    severity = Issues.SEVERITIES[key % ROW],
    evidence = self.evidence[i], suggestion = self.suggestion[i],
  }
end

--- All issues, by file, row and severity.
-- @treturn function the next `{ file=, row=, kind=, severity=, evidence=,
--   suggestion= }` at each call, nil after the last
-- @usage for issue in found:each() do print(issue.file, issue.row) end
function Issues:each()
  local order, at = order_of(self), 0
  return function()
    at = at + 1
    return order[at] and issue_of(self, order[at])
  end
end

--- How many there are of each kind, and the first of each.
-- @treturn table `counts`, by kind; `severities`, by kind and severity;
--   `examples`, by kind an array of the first five
function Issues:summary()
  local counts, severities, examples = {}, {}, {}
  for _, i in ipairs(order_of(self)) do
    local kind = Issues.KINDS[self.kind[i]]
    local severity = Issues.SEVERITIES[self.key[i] % ROW]
    if not counts[kind] then
      counts[kind], examples[kind] = 0, {}
      severities[kind] = { high = 0, medium = 0, low = 0 }
    end
    counts[kind] = counts[kind] + 1
    severities[kind][severity] = severities[kind][severity] + 1
    if counts[kind] <= EXAMPLES then
      examples[kind][counts[kind]] = issue_of(self, i)
    end
  end
  return { counts = counts, severities = severities, examples = examples,
    figures = self.figures, skipped = self.not_done }
end

local function lines_of(self)
  local pieces, lines = { HEADER }, {}
  for issue in self:each() do
    lines[#lines + 1] = csv.line { issue.file, ("%d"):format(issue.row),
      issue.kind, issue.severity, issue.evidence, issue.suggestion }
    if #lines == TOGETHER then
      pieces[#pieces + 1] = table.concat(lines, "\n") .. "\n"
      lines = {}
    end
  end
  lines[#lines + 1] = ""
  pieces[#pieces + 1] = table.concat(lines, "\n")
  return pieces
end

--- Writes its `FILES` into a folder, each whole or not at all.
-- @string dir that is there
-- @tparam table document the summary
-- @raise when one can't be written
function Issues:write(dir, document)
  local plain = json.finite(document)
  for i, pieces in ipairs { lines_of(self), { json.pretty(plain) },
      { report.page { plain } } } do
    files.write(dir .. "/" .. Issues.FILES[i], pieces)
  end
end

return Issues
