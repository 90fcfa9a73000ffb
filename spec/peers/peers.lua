--- What the scripts that compare with Python's packages have in common.

local json = require "lunula.json"

local peers = {}

peers.python = os.getenv "PYTHON" or "python3"

--- What a command prints; nil when it fails.
function peers.output_of(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read "*a"
  return pipe:close() and text or nil
end

--- Whether Python has some modules: { "torch", "transformers" }.
function peers.has(modules)
  return peers.output_of(("%s -c 'import %s' 2>/dev/null"):format(
    peers.python, table.concat(modules, ", "))) ~= nil
end

--- The Lua that runs this.
peers.LUA = arg[-1]

--- The figures that a command prints as JSON.
function peers.figures(command)
  local text = peers.output_of(command)
  return json.values(text or error("failed: " .. command, 0), command)
end

--- A lunula command that prints its figures as JSON.
function peers.lunula(words, folder)
  local path = folder .. "/figures.json"
  return ("%s src/bin/lunula %s --json '%s' >/dev/null 2>&1 && cat '%s'")
    :format(peers.LUA, words, path, path)
end

--- Writes a CSV of some columns out of rows.
function peers.write(path, columns, rows)
  local file = assert(io.open(path, "w"))
  file:write(table.concat(columns, ","), "\n")
  for _, row in ipairs(rows) do
    local fields = {}
    for i, column in ipairs(columns) do
      fields[i] = '"' .. row[column]:gsub('"', '""') .. '"'
    end
    file:write(table.concat(fields, ","), "\n")
  end
  file:close()
end

return peers
