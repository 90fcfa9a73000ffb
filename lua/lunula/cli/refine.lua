--- lunula refine: applies a person's decisions on an audit's issues to a file.
-- @module lunula.cli.refine

local counted = require "lunula.counted"
local output = require "lunula.cli.output"

local refine = {
  name = "refine",
  summary = "apply decisions on an audit's issues, to a new file",
  positional = {
    { name = "F", what = "the audited file: .csv, .tsv, .jsonl or .txt" },
  },
  options = {
    { name = "issues", value = "issues.csv", required = true,
      what = "of lunula audit, with the column decision: accept, reject, "
        .. "relabel (to what the column label says), or nothing; who and why "
        .. "go to the log" },
    { name = "output", value = "F2", required = true,
      what = "the new file, in the format of F" },
    { name = "log", value = "LOG",
      what = "of every change, JSON lines (F2.log.jsonl)" },
    { name = "who", value = "NAME", what = "decided where no other is named" },
    { name = "text", value = "COL", what = "column or field of the text" },
    { name = "label", value = "COL", what = "column or field of the label" },
    { name = "label-separator", value = "S",
      what = "between a text's labels, where it may have several" },
  },
}

local function summary(done, log)
  return {
    ("%s: %s, %s: %d"):format(done.before.file,
      counted(done.before.rows, "row"), done.after.file, done.after.rows),
    ("removed %d, relabelled %d, replaced %d"):format(done.removed,
      done.relabelled, done.replaced),
    ("issues decided %d (rejected %d), undecided %d, of other files %d")
      :format(done.decided, done.rejected, done.undecided, done.elsewhere),
    "log: " .. log,
  }
end

--- Runs the command.
-- @tparam table values of its arguments
function refine.run(values)
  local lunula = require "lunula"
  local log = values.log or values.output .. ".log.jsonl"
  local done = lunula.refine(values.f, { issues = values.issues,
    output = values.output, log = log, who = values.who, text = values.text,
    label = values.label, label_separator = values.label_separator })
  for _, label in ipairs(done.new_labels) do
    io.stderr:write(("label '%s' is new: no row of %s has it\n"):format(label,
      values.f))
  end
  output.lines(summary(done, log))
  output.flush()
end

return refine
