--- A text without the space around it.
-- In time that grows with the text alone, whoever wrote it: the pattern that
-- first comes to mind, `^%s*(.-)%s*$`, takes the square of a run of spaces.
-- @module lunula.trimmed

--- Trims a text.
-- @function trimmed
-- @string text
-- @treturn string
-- @usage trimmed " so good\n"  --> "so good"
return function(text)
  local first = text:find "%S"
  return first and text:match("^.*%S", first) or ""
end
