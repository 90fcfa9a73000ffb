--- Are the numbers of two nested tables within 1e-5 of each other?
local function assert_close(want, got)
  if type(want) == "table" then
    assert(#want == #got, ("expected %d numbers, got %d"):format(#want, #got))
    for i = 1, #want do assert_close(want[i], got[i]) end
    return
  end
  local near = math.abs(want - got) <= 1e-5 * (1 + math.abs(want))
  assert(near, ("expected %.8g, got %.8g"):format(want, got))
end

return assert_close
