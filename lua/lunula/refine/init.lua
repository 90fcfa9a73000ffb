--- A person's decisions, applied to a file of rows.
-- An audit writes what it found to `issues.csv`; a person marks it; this makes
-- a new file of the old one, and a log of every change. Nothing is changed in
-- place, and what no decision is about stays as it is, to the byte. A file is
-- read and written a row at a time, so that its size does not matter.
--
-- The marks: `decision` accept does what the issue's `suggestion` says
-- (`remove`, `relabel: LABEL`, `replace: TEXT`; `keep` and `look` change
-- nothing), relabel gives the row the label in the column `label`, reject
-- changes nothing, and so does no decision. Of several issues of one row to
-- remove it beats all others; two that want another label or text are refused.
-- Called as a function (@{refine}); `effect` says what it did to a model (see
-- `lunula.refine.effect`).
-- @module lunula.refine

local audited = require "lunula.refine.audited"
local check = require "lunula.check"
local core = require "lunula.core"
local data = require "lunula.data"
local decide = require "lunula.refine.decide"
local edit = require "lunula.refine.edit"
local joined = require "lunula.data.joined"
local label_of = require "lunula.data.label"
local log = require "lunula.refine.log"
local marks = require "lunula.refine.marks"
local opt = require "lunula.options"
local places = require "lunula.data.places"
local records = require "lunula.data.records"

local none = opt.none
local OPTIONS = { issues = none, output = none, log = none, who = none,
  text = none, label = none, label_separator = none }

-- each action: the role that it changes, and what the log counts it as
local ROLES = { relabel = "label", replace = "text" }
local COUNTED = { remove = "removed", relabel = "relabelled",
  replace = "replaced" }

local function fail(message, ...)
  error(message:format(...), 0)
end

-- {======== one row ========

-- What a new label says where a row may have several.
local function several_of(job, mark, row)
  if mark.action ~= "relabel" or not row.labels then return nil end
  local made = { label = mark.value }
  label_of.settle(made, { label_separator = job.reading.label_separator }, job,
    mark.line)
  return made.labels
end

local function is_same(a, b)
  if type(a) ~= "table" or type(b) ~= "table" then return a == b end
  return table.concat(a, "\0") == table.concat(b, "\0")
end

local function column_of(job, role, mark)
  local source = job.source
  job.columns[role] = job.columns[role] or source:column(role, job.first)
  if not job.columns[role] and (role == "label" or source.format ~= "lines")
  then
    job:fail(mark.line, "%s: %s has no %s", mark.action, job.path, role)
  end
  return job.columns[role]
end

-- The record with one of its values changed; as it is where it has that value.
local function change_value(job, bytes, row, mark, done)
  local role = ROLES[mark.action]
  local old = row[role] or row.labels
  local several = several_of(job, mark, row)
  if is_same(several or mark.value, old) then return bytes end
  local new, why = edit.value(job.source.format, bytes,
    column_of(job, role, mark), mark.value, several)
  if not new then
    job:fail(mark.line, "%s: the new %s has %s", mark.action, role, why)
  end
  done[mark.action] = { before = old, after = several or mark.value }
  return new
end

-- What is written of a row with decided issues: its bytes, or nil; and what
-- was done, by action.
local function apply(job, bytes, row, change)
  local done = {}
  if change.remove then
    done.remove = { before = (bytes:gsub("^[\r\n]+", "")
      :gsub("\r?\n$", "")) }
    return nil, done
  end
  for _, mark in ipairs { change.relabel or change.replace,
    change.relabel and change.replace } do
    bytes = change_value(job, bytes, row, mark, done)
  end
  return bytes, done
end

local function note(job, found, change, done)
  local removed = done.remove ~= nil
  for _, mark in ipairs(found) do
    job.entries[#job.entries + 1] = log.entry(mark, change, done, {
      time = job.head.time, file = job.path, issues = job.issues,
      output_row = not removed and job.head.after.rows + 1 or nil,
      who = job.who })
  end
  for action in pairs(done) do
    local name = COUNTED[action]
    job.head[name] = job.head[name] + 1
  end
end

local function refined(job, bytes, row, found)
  local change = decide.row(found, row.text, job.issues)
  local new, done = apply(job, bytes, row, change)
  note(job, found, change, done)
  return new
end

-- }========

-- {======== all rows ========

local function see_label(job, row)
  for _, label in ipairs(row.labels or { row.label }) do
    job.labels[label] = true
  end
end

local function next_bytes(job)
  local row, bytes = job.source:next()
  if not row then return nil end
  job.first = job.first or bytes
  job.head.before.rows = job.head.before.rows + 1
  see_label(job, row)
  local found = job.rows[job.head.before.rows]
  if found then bytes = refined(job, bytes, row, found) end
  if bytes then job.head.after.rows = job.head.after.rows + 1 end
  return bytes or ""
end

-- labels that a row has now and none had before: a slip, or meant
local function new_labels(job)
  local new = {}
  for _, entry in ipairs(job.entries) do
    local after = entry.change == "relabel" and entry.after or {}
    for _, label in ipairs(type(after) == "table" and after or { after }) do
      if not job.labels[label] then new[label] = true end
    end
  end
  return opt.names(new)
end

local function check_whole(job)
  local head = job.head
  for _, mark in ipairs(job.decided) do
    if mark.number > head.before.rows then
      job:fail(mark.line, "row %d of %s, which has %d", mark.number, job.path,
        head.before.rows)
    end
  end
  if job.source:sha256() ~= head.before.sha256 then
    fail("%s changed while it was read", job.path)
  elseif head.after.rows == 0 then
    fail("%s: no row%s", job.path, head.before.rows > 0 and " would be left"
      or "s")
  end
end

-- All is written when the log is, and the file is not there yet: what a crash
-- leaves is a log of no file, never a change that no log tells of.
local function finish(job)
  check_whole(job)
  job.head.after.sha256 = job.hasher:text()
  job.head.new_labels = new_labels(job)
  log.write(job.log, job.head, job.entries)
end

-- The bytes of the new file: header, rows, and what follows them.
local function next_piece(job)
  if job.begin then
    local head = job.begin
    job.begin = nil
    return head
  end
  if job.ended then return finish(job) end
  local bytes = next_bytes(job)
  job.ended = bytes == nil
  return bytes or job.source.rest
end

local function pieces_of(job)
  return joined(function()
    local piece = next_piece(job)
    if piece then job.hasher:add(piece) end
    return piece
  end)
end

-- }========

local function wants(decided, action)
  for _, mark in ipairs(decided) do
    if mark.action == action then return true end
  end
  return false
end

local Job = {}
Job.__index = Job

-- as the lines of a file do it, of `issues.csv`
function Job:fail(line, message, ...)
  fail("%s:%d: " .. message, self.issues, line, ...)
end

local function counts_of(found, name, decided)
  local all, rejected = 0, 0
  for _, file in pairs(found) do all = all + file.n end
  for _, mark in ipairs(decided) do
    if mark.decision == "reject" then rejected = rejected + 1 end
  end
  local here = found[name] and found[name].n or 0
  return { decided = #decided, rejected = rejected,
    undecided = here - #decided, elsewhere = all - here }
end

local function head_of(path, o, hash, counts)
  local head = counts
  head.time = os.date "!%Y-%m-%dT%H:%M:%SZ"
  head.version = require("lunula").version
  head.issues, head.who = o.issues, o.who
  head.before = { file = path, sha256 = hash, rows = 0 }
  head.after = { file = o.output, rows = 0 }
  head.removed, head.relabelled, head.replaced = 0, 0, 0
  return head
end

-- What an audit complains of must be read. The label is where one changes: a
-- file need not have any.
local function reading_of(o, decided)
  return { text = o.text, label = wants(decided, "relabel") and o.label,
    label_separator = o.label_separator, strict = false }
end

local function job_of(path, o)
  local found = marks.read(o.issues)
  local name, hash = audited.find(path, o.issues, found)
  local decided = found[name] and found[name].decided or {}
  local reading = reading_of(o, decided)
  local source = records.open(path, reading)
  return setmetatable({
    path = path, issues = o.issues, log = o.log, who = o.who,
    reading = reading, source = source, begin = source.head,
    decided = decided, rows = decide.by_row(decided), entries = {},
    columns = {}, labels = {}, hasher = core.hasher(),
    head = head_of(path, o, hash, counts_of(found, name, decided)),
  }, Job)
end

local function check_options(path, given)
  local o = opt.check(given, OPTIONS, "refine")
  check.path(path, "refine: the file")
  check.path(o.issues, "refine: issues")
  check.path(o.output, "refine: output")
  o.log = o.log or o.output .. ".log.jsonl"
  if o.who ~= nil then check.string(o.who, "refine: who") end
  places.check({
    { path = path, what = "the file" },
    { path = o.issues, what = "the issues" },
    { path = audited.summary_path(o.issues), what = "the audit's summary" },
    { path = o.log, what = "log", written = true },
    { path = o.output, what = "output", written = true },
  }, "refine")
  return o
end

local function check_format(source, output)
  local format = data.format_of(output)
  if format ~= source.format then
    fail("refine: output '%s' would be read as %s, and %s is %s: give it the "
      .. "same ending", output, format, source.path, source.format)
  end
end

--- Applies the decisions of an audit's issues to one of its files.
-- @function refine
-- @string path of the file: CSV, TSV, JSONL or a text a line
-- @tparam table given
-- @string given.issues path of the audit's `issues.csv`, with the columns
--   `decision`, `label`, `who` and `why`, of which only the first is needed.
--   Issues of other files are counted and skipped
-- @string given.output path of the new file, in the format of the old one;
--   replaced when it is there
-- @string[opt] given.log path of the log, JSON lines (`OUTPUT.log.jsonl`):
--   what is returned, then a line for each decided issue, with what was there
--   `before` and `after`; of personal data only the hash of what was
-- @string[opt] given.who who decided, where an issue's `who` is empty
-- @string[opt] given.text column of the text, as for `data.read`
-- @string[opt] given.label column of the label, as for `data.read`
-- @string[opt] given.label_separator as for `data.read`
-- @treturn table `before` and `after`, each with `file`, `sha256` and `rows`;
--   the rows that were `removed`, `relabelled` and `replaced`; issues of the
--   file that were `decided`, among them `rejected`, and `undecided`, and
--   those `elsewhere`, of other files; `new_labels`, which no row had before;
--   `time`, `version`, `issues` and `who`
-- @raise with the line of `issues.csv`: where a decision is unknown, a row is
--   not there, or two decisions of one row differ; where the file is not the
--   one that was audited, as the hash in the audit's `summary.json` tells; when
--   a path that is written is one that is read; when no row would be left
-- @usage local done = refine("train.csv", { issues = "audit/issues.csv",
--   output = "refined.csv", who = "ada" })
local function refine(_, path, given)
  local o = check_options(path, given)
  local job = job_of(path, o)
  local ok, why = pcall(function()
    check_format(job.source, o.output)
    core.io.write(o.output, pieces_of(job))
  end)
  job.source:close()
  if not ok then error(why, 0) end
  return job.head
end

-- What trains is loaded when it is used.
local function effect(...)
  return require "lunula.refine.effect"(...)
end

return setmetatable({ log = log, effect = effect }, { __call = refine })
