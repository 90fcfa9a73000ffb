--- Small pieces of a file joined to larger ones: to write each line by itself
-- would take many times as long.
-- @module lunula.data.joined

local LEAST = 65536  -- bytes of a joined piece, but of the last

--- Joins what a function gives.
-- @func next_piece gives a string at each call, nil after the last
-- @treturn function the same, in fewer pieces; as `core.io.write` takes it
-- @usage core.io.write(path, joined(function() return next_line() end))
return function(next_piece)
  local ended = false
  return function()
    if ended then return nil end
    local some, n, size = {}, 0, 0
    while size < LEAST do
      local piece = next_piece()
      if not piece then
        ended = true
        break
      end
      n = n + 1
      some[n], size = piece, size + #piece
    end
    return n > 0 and table.concat(some) or nil
  end
end
