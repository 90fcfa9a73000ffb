--- lunula distil: a student's folder, of some of a model's layers.
-- @module lunula.cli.distil

local arguments = require "lunula.cli.arguments"
local fetch = require "lunula.cli.fetch"
local output = require "lunula.cli.output"

local distil = {
  name = "distil",
  summary = "write a smaller model with some of a model's layers",
  positional = {
    { name = "MODEL", what = "the teacher: a folder or a name; then lunula "
      .. "train --model OUTPUT --teacher MODEL" },
  },
  options = {
    { name = "layers", value = "N|A,B,C", required = true,
      what = "how many layers, or which, from 1" },
    { name = "output", value = "DIR", required = true,
      what = "folder of the student" },
  },
}

-- "3" is how many, "1,3,5" and "3," are which
local function layers_of(text)
  if text:find "^%d+$" then return tonumber(text) end
  if not text:find "^%d[%d,]*$" or text:find ",," then
    arguments.wrong("--layers: expected a number, or some with commas as "
      .. "1,3,5, got '%s'", text)
  end
  local list = {}
  for number in text:gmatch "%d+" do list[#list + 1] = tonumber(number) end
  return list
end

--- Runs the command.
-- @tparam table values of its arguments
function distil.run(values)
  local layers = layers_of(values.layers)
  local lunula = require "lunula"
  output.line(lunula.distil.student(fetch.model(values.model),
    { layers = layers, output = values.output }))
end

return distil
