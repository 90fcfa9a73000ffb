--- JSON of the command line: lines with their names in a fixed order, and the
-- file of figures.
-- @module lunula.cli.json

local files = require("lunula.core").io
local json = require "lunula.json"

local cli_json = {}

--- An object on one line, with its names in this order.
-- @tparam table values
-- @tparam {string,...} keys
-- @treturn string
-- @raise as `lunula.json.encode`
function cli_json.object(values, keys)
  local parts = {}
  for i, key in ipairs(keys) do
    parts[i] = json.encode(key) .. ":" .. json.encode(values[key])
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

--- Checks that figures can be written where they are to be: what can't is
-- better known before the work than after.
-- @tparam ?string path nil when there are to be none
-- @raise when the folder is not there, or the path is that of one
function cli_json.check_place(path)
  if not path then return end
  local folder = path:match("^(.*/)[^/]*$") or "."
  if files.stat(folder) ~= "folder" then
    error(("--json: no folder '%s'"):format(folder), 0)
  elseif path == "" or files.stat(path) == "folder" then
    error(("--json: '%s' is no name of a file"):format(path), 0)
  end
end

--- Writes figures to a file: whole, or not at all.
-- @string path
-- @tparam table figures
-- @raise when the file can't be written
function cli_json.write(path, figures)
  files.write(path, { json.pretty(json.finite(figures)) })
end

return cli_json
