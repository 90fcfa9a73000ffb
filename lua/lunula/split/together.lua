--- Which rows must not be parted: those of one group, and those whose texts are
-- the same. What is the same is what an audit calls so (src/text/near.h): the
-- words count, case and punctuation don't.
-- @module lunula.split.together

local core = require "lunula.core"

local together = {}

--- What may be done about equal texts, the default first.
together.CHOICES = { together = true, near = true, ignore = true }

local SIMILARITY = 0.85  -- of nearly equal texts, as in an audit

-- Calls a function with each row that has a text and the first row that has the
-- same.
local function each_same(rows, is_near, f)
  local near, added = core.near.new(), {}
  for i, row in ipairs(rows) do
    if type(row.text) == "string" then
      added[near:add(row.text, nil, row.text_pair)] = i
    end
  end
  if is_near then near:search(SIMILARITY) end
  for at, i in ipairs(added) do
    local text = near:text(at)
    f(i, added[near:first(is_near and near:group(text) or text)])
  end
end

local function root(parent, i)
  while parent[i] ~= i do
    parent[i] = parent[parent[i]]
    i = parent[i]
  end
  return i
end

-- the earlier row is the root
local function join(parent, a, b)
  a, b = root(parent, a), root(parent, b)
  parent[math.max(a, b)] = math.min(a, b)
end

local function join_groups(parent, group_of)
  local first = {}
  for i, group in ipairs(group_of) do
    first[group] = first[group] or i
    join(parent, first[group], i)
  end
end

--- The sets of rows that stay together.
-- @tparam {table,...} rows
-- @string duplicates "together": equal texts are not parted; "near": nor are
--   those that are nearly so; "ignore"
-- @tparam ?table group_of row number to its group; nil where there are none
-- @treturn {int,...} row number to that of the first row of its set
-- @treturn int how many sets there are
-- @usage together.of({ { text = "Good." }, { text = "good" } }, "together")
--   --> { 1, 1 }, 1
function together.of(rows, duplicates, group_of)
  local parent = {}
  for i = 1, #rows do parent[i] = i end
  if duplicates ~= "ignore" then
    each_same(rows, duplicates == "near", function(i, first)
      join(parent, first, i)
    end)
  end
  if group_of then join_groups(parent, group_of) end
  local sets = 0
  for i = 1, #rows do
    parent[i] = root(parent, i)
    if parent[i] == i then sets = sets + 1 end
  end
  return parent, sets
end

return together
