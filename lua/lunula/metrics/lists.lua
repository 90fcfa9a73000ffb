--- What is right and what was predicted, side by side: two lists.
-- @module lunula.metrics.lists

local lists = {}

--- Checks that there are two, with as many items, one at least.
-- @param gold what is right
-- @param predicted
-- @string what who asks, for the message: "metrics.report"
-- @string items what they are: "labels"
-- @string[opt] rows what there are none of where they are empty; `items`
-- @raise saying which of this is not so
-- @usage lists.check({ 1, 2 }, { 1, 3 }, "metrics.regression", "numbers")
function lists.check(gold, predicted, what, items, rows)
  local function fail(message, ...)
    error(("%s: "):format(what) .. message:format(...), 0)
  end
  if type(gold) ~= "table" or type(predicted) ~= "table" then
    fail("expected two arrays of %s, got %s and %s", items, type(gold),
      type(predicted))
  elseif #gold ~= #predicted then
    fail("%d right %s, but %d predicted", #gold, items, #predicted)
  elseif #gold == 0 then
    fail("no %s", rows or items)
  end
end

return lists
