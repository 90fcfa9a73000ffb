local cjson = require "cjson"
local files = require("lunula.core").io
local run = require "spec.support.run"
local tiny = require "spec.support.tiny"

--- A folder with what commands work on: a tiny encoder, `encoder`, and reviews
-- in `train.csv`, `validation.csv` and `test.csv`.
local project = {}

local function part(rows, from, to)
  local some = {}
  for i = from, to do some[#some + 1] = rows[i] end
  return some
end

project.part = part

--- Makes one in a new temporary folder.
-- @treturn table `dir`, and functions: `path(name)` of a file there;
--   `write(name, rows)` as CSV; `read_json(name)`; `train(output, ...)` runs
--   the command with these options, too; `remove()`
function project.new()
  local dir = tiny.temporary()
  local made = { dir = dir }

  function made.path(name) return dir .. "/" .. name end

  function made.write(name, rows)
    local lines = { "text,label" }
    for i, row in ipairs(rows) do
      lines[i + 1] = ('"%s",%s'):format(row.text, row.label)
    end
    files.write(made.path(name), { table.concat(lines, "\n"), "\n" })
  end

  function made.read_json(name)
    local file = assert(io.open(made.path(name), "rb"))
    local value = cjson.decode(file:read("*a"))
    file:close()
    return value
  end

  function made.train(output, ...)
    return run.lunula { "train", "--model", made.path "encoder",
      "--train", made.path "train.csv", "--output", output, "--batch-size=8",
      "--learning-rate=3e-3", "--threads=1", ... }
  end

  function made.remove() tiny.remove(dir) end

  tiny.write_encoder(made.path "encoder")
  local rows = tiny.reviews(120)
  made.write("train.csv", part(rows, 1, 64))
  made.write("validation.csv", part(rows, 65, 90))
  made.write("test.csv", part(rows, 91, 120))
  return made
end

return project
