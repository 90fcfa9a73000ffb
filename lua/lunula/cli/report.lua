--- lunula report: a page of what other commands found.
-- @module lunula.cli.report

local files = require("lunula.core").io
local guarded = require "lunula.cli.guarded"

local report = {
  name = "report",
  summary = "make a page to look at: curves, confusions, errors, audits",
  positional = {
    { name = "INPUT", several = true, what = "figures of train, evaluate, "
      .. "compare or audit --since (--json), a folder of audit, or a "
      .. "model's" },
  },
  options = {
    { name = "output", value = "FILE", required = true,
      what = "the page, one HTML file" },
    { name = "title", value = "T", what = "its title (lunula report)" },
  },
}

--- Runs the command.
-- @tparam table values of its arguments
function report.run(values)
  local lunula = require "lunula"
  guarded.check_file(values, "output")
  local documents = {}
  for i, path in ipairs(values.input) do
    documents[i] = lunula.report.read(path)
  end
  files.write(values.output, { lunula.report.page(documents,
    { title = values.title, date = os.date "%Y-%m-%d" }) })
  io.stderr:write("wrote ", values.output, "\n")
end

return report
