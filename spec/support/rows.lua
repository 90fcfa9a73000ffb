--- Arrays of arrays of numbers, compared.
local rows = {}

--- The largest difference between two.
function rows.difference(a, b)
  local most = 0
  for i, row in ipairs(a) do
    for j, x in ipairs(row) do most = math.max(most, math.abs(x - b[i][j])) end
  end
  return most
end

return rows
