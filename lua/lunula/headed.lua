--- Files of lines, of which the first says what the others are.
-- @module lunula.headed

--- Reads a file.
-- @function headed
-- @string path
-- @func head_of from the first line and the path to what it says
-- @func entry_of from a later line, what the first says, and the line's place,
--   FILE:LINE, to what it says
-- @treturn table what the first line says
-- @treturn {table,...} what the others say, in order
-- @raise when it can't be read, or is empty; what the functions raise
-- @usage local head, entries = headed("split.jsonl", head_of, entry_of)
return function(path, head_of, entry_of)
  local file, why = io.open(path, "rb")
  if not file then error(why, 0) end
  local entries, head, n = {}, nil, 0
  for line in file:lines() do
    n = n + 1
    if n == 1 then
      head = head_of(line, path)
    else
      entries[n - 1] = entry_of(line, head, ("%s:%d"):format(path, n))
    end
  end
  file:close()
  if not head then error(path .. ": empty file", 0) end
  return head, entries
end
