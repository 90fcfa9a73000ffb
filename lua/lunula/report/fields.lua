--- Fields of documents that somebody else wrote: of the type that was asked
-- for, or a harmless nothing.
-- @module lunula.report.fields

local fields = {}

--- A text.
-- @param value anything
-- @treturn ?string
function fields.text(value)
  return type(value) == "string" and value or nil
end

--- An object or array.
-- @param value anything
-- @treturn table empty when it is none
function fields.table(value)
  return type(value) == "table" and value or {}
end

--- The objects of an array.
-- @param value anything
-- @treturn {table,...} without what is no object
function fields.records(value)
  local found = {}
  for _, each in ipairs(fields.table(value)) do
    if type(each) == "table" then found[#found + 1] = each end
  end
  return found
end

--- The names of an object, sorted as texts.
-- @param value anything
-- @treturn {string,...}
function fields.names(value)
  local found = {}
  for name in pairs(fields.table(value)) do
    if type(name) == "string" then found[#found + 1] = name end
  end
  table.sort(found)
  return found
end

--- A name of a field as words.
-- @string name
-- @treturn string "near duplicate"
function fields.words(name)
  return (name:gsub("_", " "))
end

--- The same, as a title.
-- @string name
-- @treturn string "Near duplicate"
function fields.title(name)
  return (fields.words(name):gsub("^%l", string.upper))
end

return fields
