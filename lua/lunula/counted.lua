--- A count of things, in the singular where it is one.
-- @module lunula.counted

--- Counts.
-- @function counted
-- @int n
-- @string one what it is of, in the singular
-- @string[opt] many its plural, where that is not the singular with an s
-- @treturn string
-- @usage counted(1, "row")            --> 1 row
-- counted(2, "row is", "rows are")    --> 2 rows are
return function(n, one, many)
  return ("%d %s"):format(n, n == 1 and one or many or one .. "s")
end
