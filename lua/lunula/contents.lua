--- The bytes of a file.
-- @module lunula.contents

--- Reads a file whole.
-- @function contents
-- @string path
-- @treturn ?string nil when it can't be read
-- @treturn ?string then why, with the path
-- @usage local text, why = contents "data.json"
-- if not text then error(why, 0) end
return function(path)
  local file, why = io.open(path, "rb")
  if not file then return nil, why end
  local bytes, reason = file:read "*a"
  file:close()
  if bytes then return bytes end
  return nil, ("%s: %s"):format(path, reason or "can't be read")
end
