--- The option `class_weights`: what a label counts in the loss.
-- @module lunula.problem.weights

local check = require "lunula.check"
local labels = require "lunula.labels"

local weights = {}

local function fail(message, ...)
  error("train: class_weights: " .. message:format(...), 0)
end

local function check_given(given, list)
  local known = {}
  for _, label in ipairs(list) do known[label] = true end
  for label, weight in pairs(given) do
    if not known[label] then
      fail("'%s' is none of the labels: %s", tostring(label),
        labels.listed(list))
    end
    check.number(weight, "train: class_weights: " .. label, { above = 0 })
  end
end

--- The weight of each label.
-- @param given label to weight (1 where none is given), "balanced" or nil
-- @tparam {string,...} list of labels
-- @func balanced gives what "balanced" means
-- @treturn ?{number,...} nil when nothing was given
-- @raise on a label that is none, or a weight that is not above 0
function weights.of(given, list, balanced)
  if given == nil then return nil end
  if given == "balanced" then return balanced() end
  if type(given) ~= "table" then
    fail("expected a table or \"balanced\", got %s", tostring(given))
  end
  check_given(given, list)
  local all = {}
  for i, label in ipairs(list) do all[i] = given[label] or 1 end
  return all
end

--- Refuses options of `train` which a type of problem has no use for.
-- @tparam table o
-- @tparam {string,...} names
-- @string what the type, for the message
-- @raise when one is given
function weights.refuse(o, names, what)
  for _, name in ipairs(names) do
    if o[name] ~= nil and o[name] ~= 0 then
      error(("train: %s: not of use for %s"):format(name, what), 0)
    end
  end
end

return weights
