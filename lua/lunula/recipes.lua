--- Recipes: options of `lunula.train` by name, to begin with.
--
-- Each is a plain table: print it, copy it, change it, pass it. A table that
-- was read here is the reader's own; to change it changes no recipe.
--
--    print(lunula.recipes.best)                 -- Lua that can be pasted
--    print(lunula.recipes.best.summary)         -- when it is the right one
--    local options = lunula.recipes.with("best", { epochs = 2 })
--    options.validation = parts.validation
--    lunula.train(model, parts.train, options)
-- @module lunula.recipes

local check = require "lunula.check"
local json = require "lunula.json"
local sorted = require("lunula.options").names

local recipes = {}

-- {======== contents ========

-- What each is for, and what it has; options of `lunula.train` alone.
local CONTENTS = {
  {
    name = "default",
    summary = "What a training does when it is told nothing.",
    options = {
      epochs = 3, batch_size = 32, learning_rate = 5e-5, warmup_ratio = 0.1,
      schedule = "linear", weight_decay = 0.01, max_grad_norm = 1.0,
    },
  },
  {
    name = "small-data",
    -- 400 of SST-2's sentences: 80.9 %, with 3 epochs at 1e-4 79.5 %
    summary = "A few hundred to a few thousand rows: more and gentler passes, "
      .. "and an end when they help no more.",
    options = {
      epochs = 10, batch_size = 16, learning_rate = 3e-5, warmup_ratio = 0.1,
      patience = 3,
    },
  },
  {
    name = "few-shot",
    -- 8 of each of SST-2's labels: 63.5 % with pooling "mean", as
    -- lunula.few_shot; 56.5 % with the pooler
    summary = "Some ten rows of each label: many passes in small batches, "
      .. "with pooling mean; or see lunula.few_shot.",
    options = {
      epochs = 20, batch_size = 8, learning_rate = 5e-5, warmup_ratio = 0.1,
    },
  },
  {
    name = "best",
    -- SST-2's sentences, validation: 89.7 % with R-Drop, 88.2 % without, from
    -- GLUE's phrases
    summary = "Thousands of rows and a small encoder: the most accuracy, for "
      .. "twice the time.",
    options = {
      epochs = 3, batch_size = 32, learning_rate = 1e-4, warmup_ratio = 0.06,
      rdrop_alpha = 1,
    },
  },
}

-- Who gives the one does not want a recipe's other.
local EXCLUDE = { batch_tokens = "batch_size", batch_size = "batch_tokens" }

-- What means nothing without validation rows.
local OF_VALIDATION = { "patience", "validate_every", "metric" }

-- What is only for texts of one label each.
local SINGLE_LABEL, OF_SINGLE_LABELS = "single_label_classification",
  { "rdrop_alpha" }

-- }========

local function find(name)
  for _, recipe in ipairs(CONTENTS) do
    if recipe.name == name then return recipe end
  end
end

local function need(name)
  local recipe = find(name)
  if recipe then return recipe end
  error(("recipes: no recipe '%s'; there are: %s"):format(tostring(name),
    table.concat(recipes.names(), ", ")), 0)
end

-- {======== printing ========

local NAMES_OF_LUA = "^[%a_][%w_]*$"

local function literal(value)
  if type(value) == "number" then return json.encode(value) end
  if type(value) ~= "table" then
    return type(value) == "string" and ("%q"):format(value) or tostring(value)
  end
  local items = {}
  for i, item in ipairs(value) do items[i] = literal(item) end
  return "{ " .. table.concat(items, ", ") .. " }"
end

-- Lua source of a table: its options in the order of the alphabet.
local function source(options)
  local lines = { "{" }
  lines[2] = options.summary and "  -- " .. options.summary
  for _, name in ipairs(sorted(options)) do
    local key = name:find(NAMES_OF_LUA) and name or ("[%q]"):format(name)
    lines[#lines + 1] = ("  %s = %s,"):format(key, literal(options[name]))
  end
  lines[#lines + 1] = "}"
  return table.concat(lines, "\n")
end

-- }========

local function copy(recipe)
  local options = {}
  for name, value in pairs(recipe.options) do options[name] = value end
  return setmetatable(options, {
    __tostring = source, __index = { summary = recipe.summary },
  })
end

--- The names of the recipes, from the plainest.
-- @treturn {string,...}
-- @usage for _, name in ipairs(lunula.recipes.names()) do
--   print(name, lunula.recipes[name].summary) end
function recipes.names()
  local names = {}
  for i, recipe in ipairs(CONTENTS) do names[i] = recipe.name end
  return names
end

--- A recipe with some options changed.
-- @string name
-- @tparam[opt] table changes options by name, which go before the recipe's
-- @treturn table with the field `summary`; `tostring` gives Lua source
-- @raise when there is no such recipe
-- @usage local options = lunula.recipes.with("best", { epochs = 2 })
function recipes.with(name, changes)
  local options = copy(need(name))
  if changes ~= nil then check.table(changes, "recipes: changes") end
  for option, value in pairs(changes or {}) do options[option] = value end
  return options
end

local function drop_what_is_of_no_use(options, given, problem_type)
  if (problem_type or SINGLE_LABEL) ~= SINGLE_LABEL then
    for _, name in ipairs(OF_SINGLE_LABELS) do options[name] = nil end
  end
  for one, other in pairs(EXCLUDE) do
    if given[one] ~= nil and given[other] == nil then options[other] = nil end
  end
  for _, name in ipairs(given.validation == nil and OF_VALIDATION or {}) do
    options[name] = given[name]
  end
end

--- What to train with where a recipe is asked for: what is given, and of the
-- recipe what is not.
-- A recipe's batch_size gives way to a batch_tokens that is given, and what
-- needs validation rows is left out where `given.validation` is nil.
-- @string name
-- @tparam table given options that go before the recipe's
-- @string[opt] problem_type what a text's target is: what is only for single
--   labels is left out for others
-- @treturn table a new one, without `recipe`
-- @raise when there is no such recipe
-- @usage local options = recipes.resolve("best", { recipe = "best",
--   validation = rows })
function recipes.resolve(name, given, problem_type)
  local options = {}
  for option, value in pairs(need(name).options) do options[option] = value end
  check.table(given, "recipes: given")
  drop_what_is_of_no_use(options, given, problem_type)
  for option, value in pairs(given) do options[option] = value end
  options.recipe = nil
  return options
end

--- The recipe of a name, as `with` gives it without changes.
-- @function recipes.NAME
-- @treturn table nil where there is none
-- @usage print(lunula.recipes["small-data"])
return setmetatable(recipes, { __index = function(_, name)
  local recipe = find(name)
  return recipe and copy(recipe)
end })
