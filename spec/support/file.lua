--- Files as specs read and write them: whole.
local file = {}

--- The bytes of a file.
function file.read(path)
  local from = assert(io.open(path, "rb"))
  local bytes = from:read "*a"
  from:close()
  return bytes
end

--- Writes a file that has these bytes.
function file.write(path, bytes)
  local to = assert(io.open(path, "wb"))
  to:write(bytes)
  to:close()
end

return file
