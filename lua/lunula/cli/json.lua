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

--- Writes figures to a file: whole, or not at all.
-- @string path
-- @tparam table figures
-- @raise when the file can't be written
function cli_json.write(path, figures)
  files.write(path, { json.pretty(json.finite(figures)) })
end

return cli_json
