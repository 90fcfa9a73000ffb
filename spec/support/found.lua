--- What a check of an audit tells, kept to be looked at.
local found = {}
found.__index = found

--- @treturn table with `issues`, `figures` and `not_done`
function found.new()
  return setmetatable({ issues = {}, figures = {}, not_done = {} }, found)
end

function found:add(place, kind, severity, evidence, suggestion)
  self.issues[#self.issues + 1] = { file = place.file, row = place.number,
    kind = kind, severity = severity, evidence = evidence,
    suggestion = suggestion }
end

function found:figure(name, value) self.figures[name] = value end

function found:skipped(name, why) self.not_done[name] = why end

--- Rows as a check sees them.
-- @tparam table by_part rows by the part's name
-- @treturn {table,...} all, train first
function found.rows(by_part)
  local all = {}
  for _, part in ipairs { "train", "validation", "test" } do
    for number, row in ipairs(by_part[part] or {}) do
      local copy = { file = part .. ".csv", part = part, number = number,
        index = #all + 1 }
      for name, value in pairs(row) do copy[name] = value end
      all[#all + 1] = copy
    end
  end
  return all
end

--- Makes a check look at rows.
-- @tparam table module of the check
-- @tparam {table,...} rows
-- @tparam[opt] table context `model` and `encoder_source`
-- @tparam[opt] table options beside the check's own
-- @treturn table what it told
function found.by(module, rows, context, options)
  local o, with = {}, {}
  for name, value in pairs(module.options) do
    if tostring(value) ~= "none" then o[name] = value end
  end
  for name, value in pairs(options or {}) do o[name] = value end
  for name, value in pairs(context or {}) do with[name] = value end
  if context then with.rows = rows end
  local made, told = module.new(o, with), found.new()
  for _, row in ipairs(rows) do made:see(row) end
  made:finish(told)
  return told
end

return found
