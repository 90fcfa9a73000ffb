--- Option tables: defaults filled in, mistakes caught.
-- Every public function that takes options passes them through here, so that
-- a misspelt name is an error instead of a silent default.
-- @module lunula.options

local options = {}

--- The names that a table has, sorted.
-- @tparam table named values by name
-- @treturn {string,...}
-- @usage options.names { b = 1, a = 2 }  --> a, b
function options.names(named)
  local names = {}
  for name in pairs(named) do names[#names + 1] = name end
  table.sort(names)
  return names
end

--- The options given, over their defaults.
-- @tparam ?table given what the user passed; nil is an empty table
-- @tparam table known name to default; `options.none` for no default
-- @string what the function, for the message: "split", "train"
-- @treturn table a new table with every known name that has a value
-- @raise when a name is not known, or `given` is not a table
-- @usage local o = options.check(given, { seed = 0 }, "split")
function options.check(given, known, what)
  if given ~= nil and type(given) ~= "table" then
    error(("%s: expected a table of options, got %s")
      :format(what, type(given)), 0)
  end
  local checked = {}
  for name, default in pairs(known) do
    if default ~= options.none then checked[name] = default end
  end
  for name, value in pairs(given or {}) do
    if known[name] == nil then
      error(("%s: unknown option '%s'; known: %s")
        :format(what, tostring(name),
          table.concat(options.names(known), ", ")), 0)
    end
    checked[name] = value
  end
  return checked
end

--- Marks an option that is nil unless given.
options.none = setmetatable({}, { __tostring = function() return "none" end })

return options
