--- Which column of a file plays which role in a row.
-- @module lunula.data.columns

local check = require "lunula.check"
local csv = require "lunula.data.csv"
local label = require "lunula.data.label"

local columns = {}

--- The roles, in the order in which a row is read and checked.
columns.roles = { "text", "text_pair", "label", "group", "time" }

-- What people call the two columns that need not be named, the likeliest
-- first. No name is in both lists.
local USUAL = {
  text = {
    "text", "sentence", "content", "review", "review_text", "comment",
    "message", "body", "document", "utterance", "query", "question", "tweet",
    "post", "headline", "title", "description",
  },
  label = {
    "label", "labels", "category", "class", "target", "sentiment", "intent",
    "topic", "emotion", "gold_label", "gold", "rating", "stars", "score",
  },
}

local function positions(names, fold)
  local position = {}
  for i, name in ipairs(names) do
    name = fold(name)
    position[name] = position[name] or i
  end
  return position
end

local function as_is(name) return name end

-- 2 and 2.0 are one column to the user, whatever number type it came as.
local function as_name(given)
  if type(given) == "number" then return ("%.14g"):format(given) end
  return tostring(given)
end

local function taken_names(given)
  local taken = {}
  for _, role in ipairs(columns.roles) do
    if given[role] then taken[as_name(given[role])] = true end
  end
  return taken
end

local function usual_position(role, names, given)
  local position = positions(names, string.lower)
  local taken = taken_names(given)
  for _, usual in ipairs(USUAL[role]) do
    local at = position[usual]
    if at and not taken[names[at]] then return at end
  end
end

local function listed(names)
  local advice = csv.advice(names)
  return table.concat(names, ", ") .. (advice and "; " .. advice or "")
end

--- Finds the columns of a file among its names.
-- A role whose option is nil is guessed where it has usual names (text and
-- label) among the columns that no other role was given; otherwise it is left
-- out, as it is where the option is false, and as a label is that nothing looks
-- like where reading is not strict.
-- @tparam {string,...} names of the columns, in order
-- @tparam table given role to column name (or number), nil or false
-- @tparam Lines input for errors
-- @int line the line that holds the names, for errors
-- @treturn {table,...} `{role=, name=, position=}`, in the order of the roles
-- @raise when a name is not there, or nothing there looks like it
-- @usage local names = { "id", "Text" }
-- local chosen = columns.find(names, { label = false }, input, 1)
function columns.find(names, given, input, line)
  local chosen = {}
  local known = listed(names)
  local position = positions(names, as_is)
  for _, role in ipairs(columns.roles) do
    local asked, at = given[role], nil
    if asked then
      local name = as_name(asked)
      at = position[name] or input:fail(line,
        "no column '%s'; there are: %s", name, known)
    elseif asked == nil and USUAL[role] then
      at = usual_position(role, names, given)
      if not at and (role == "text" or given.strict ~= false) then
        input:fail(line, "which column is the %s? give %s = one of: %s", role,
          role, known)
      end
    end
    if at then
      chosen[#chosen + 1] = { role = role, name = names[at], position = at }
    end
  end
  return chosen
end

--- Finds the columns that are kept beside those that play a role.
-- @tparam {string,...} names of the columns, in order
-- @tparam ?{string|number,...} keep as from `columns.check_keep`
-- @tparam Lines input for errors
-- @int line the line that holds the names, for errors
-- @treturn {table,...} `{name=, position=}`, in the order of `keep`
-- @raise when a name is not there
function columns.kept(names, keep, input, line)
  local chosen, position = {}, positions(names, as_is)
  for i, name in ipairs(keep or {}) do
    chosen[i] = { name = name, position = position[name]
      or input:fail(line, "no column '%s'; there are: %s", name,
        listed(names)) }
  end
  return chosen
end

--- Checks the option that says which columns are kept.
-- @param keep nil, or an array of names or numbers, each once
-- @treturn ?{string,...} their names
-- @raise when it is something else
function columns.check_keep(keep)
  if keep == nil then return nil end
  check.table(keep, "data: keep")
  local names, seen = {}, {}
  for i, given in ipairs(keep) do
    local name = type(given) == "number" and as_name(given)
      or check.string(given, ("data: keep: %d"):format(i))
    if seen[name] then
      error(("data: keep: '%s' comes twice"):format(name), 0)
    end
    names[i], seen[name] = name, true
  end
  if #names == 0 and next(keep) ~= nil then
    error("data: keep: expected an array of names of columns", 0)
  end
  return names
end

-- Whether a value may be nothing but space: texts where that is allowed; the
-- label of a row that may have none; all where reading is not strict.
local function may_be_empty(role, options)
  if options.strict == false then return true end
  if role == "label" then return options.label_separator ~= nil end
  return options.empty and (role == "text" or role == "text_pair")
end

--- Checks that a row has something in every role, makes its label what it is to
-- be, and notes where it is from.
-- @tparam table row role to string
-- @tparam table options of `data.read`
-- @tparam Lines input
-- @int line
-- @treturn table the row, with `file` and `line`; `labels` in place of `label`
--   where there are several
-- @raise when a value is missing or nothing but space
function columns.checked(row, options, input, line)
  for _, role in ipairs(columns.roles) do
    local value = row[role]
    if type(value) == "string" and not value:find("%S") then
      if not may_be_empty(role, options) then
        input:fail(line, "empty %s", role)
      elseif role == "group" or role == "time" then
        row[role] = nil
      end
    end
  end
  label.settle(row, options, input, line)
  row.file, row.line = input.name, line
  return row
end

return columns
