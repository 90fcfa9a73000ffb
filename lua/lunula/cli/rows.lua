--- The labelled rows that a command was given, as the type of its problem has
-- them.
-- @module lunula.cli.rows

local arguments = require "lunula.cli.arguments"
local settings = require "lunula.settings"

local rows = {}

--- What commands that read labelled texts are given.
rows.options = {
  { name = "text", value = "COL", what = "column or field of the text" },
  { name = "text-pair", value = "COL",
    what = "column or field of a second text" },
  { name = "label", value = "COL", what = "column or field of the label" },
  { name = "label-separator", value = "S",
    what = "between a text's labels, where it may have several (,)" },
}

--- Columns as `lunula.data.read` takes them.
-- @tparam table values of a command's arguments
-- @tparam table problem a type of `lunula.problem`
-- @treturn table
-- @raise as `arguments.wrong`, where a separator is of no use
function rows.columns(values, problem)
  if values.label_separator and not problem.separator then
    arguments.wrong("--label-separator: only where a text may have several "
      .. "labels (multi_label_classification), not for %s", problem.name)
  elseif values.label_separator == "" then
    arguments.wrong("--label-separator: expected a text that is not empty")
  end
  return settings.columns(values, problem)
end

return rows
