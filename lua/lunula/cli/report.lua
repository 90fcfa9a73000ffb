--- lunula report: a page of what other commands found.
-- @module lunula.cli.report

local files = require("lunula.core").io

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

-- What can't be written is better known before the work than after.
local function check_output(path)
  local folder = path:match "^(.*/)[^/]*$" or "."
  if files.stat(folder) ~= "folder" then
    error(("--output: no folder '%s'"):format(folder), 0)
  elseif path == "" or files.stat(path) == "folder" then
    error(("--output: '%s' is no name of a file"):format(path), 0)
  end
end

--- Runs the command.
-- @tparam table values of its arguments
function report.run(values)
  local lunula = require "lunula"
  check_output(values.output)
  local documents = {}
  for i, path in ipairs(values.input) do
    documents[i] = lunula.report.read(path)
  end
  files.write(values.output, { lunula.report.page(documents,
    { title = values.title, date = os.date "%Y-%m-%d" }) })
  io.stderr:write("wrote ", values.output, "\n")
end

return report
