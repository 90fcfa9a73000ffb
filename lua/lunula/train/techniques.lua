--- The techniques that a training may use beside plain fine-tuning, each in a
-- module of its own, off unless an option of its own asks for it.
--
-- A technique is a module with
--
--   options   an array of what `train` and the command line take for it:
--             { name =, what =, type = "number" | "integer" | "boolean" |
--             "choice" | "strings", default =, choices =, and the bounds
--             least, most, above, below; needs = { name, value }: the option
--             without which, or without which value, it means nothing }
--   single_label(o)  optional: whether what is asked for is only for
--             single_label_classification
--   check_rows(run)  optional: raises when the rows have not what it needs
--   check(o)  optional: raises when its options don't go with others
--   new(run)  may change run.learners (see `lunula.train.learners`); returns
--             what is made of it for a training, or nil where it is not asked
--             for: an object with any of these methods, called in the order of
--             the list below
--
--     first(run)              before a step's first batch
--     rows(item)              may change item.rows, which a batch is made of
--     batch(item)             may change item.batch, and set item.given, for
--                             `classifier:pooled`; or set item.vectors, what
--                             that would give
--     vectors(item, vectors)  returns the pooled vectors to go on with
--     loss(item, loss, logits) returns the loss to go on with
--     learnt(item, share)     after a batch's backward, of `share` of its loss
--     gradients(run)          after a step's last backward, before clipping
--     stepped(run)            after the optimizer's step
--     enter(), leave()        around whatever judges or saves the weights
--     keep(), restore()       when these weights are the best; to have them
--                             back
--     finish(run)             after the last step, before the best come back
--     abandon()               after an error, wherever it was: gives the model
--                             the weights that the optimizer moved
--     state(), load_state(t)  what a run that is resumed needs: a table of
--                             tensors by name
--     identity()              what else than options, texts and labels makes
--                             two runs the same one: its name, and a string
--     outcome()               what a run that has ended leaves beside the
--                             model's weights, for load_state
--
-- A field of such an object must not have the name of one of these methods.
-- @module lunula.train.techniques

local check = require "lunula.check"
local problem = require "lunula.problem"

local techniques = {}

-- in the order in which they are called
local NAMES = {
  "tune", "lora", "cached", "focal", "augment", "mixup", "distillation",
  "rdrop", "adversarial", "averaging", "mixout",
}

local function modules()
  local list = {}
  for i, name in ipairs(NAMES) do
    list[i] = require("lunula.train." .. name)
  end
  return list
end

-- {======== options ========

--- The options of all techniques.
-- @treturn {table,...} as the modules have them
function techniques.options()
  local all = {}
  for _, module in ipairs(modules()) do
    for _, option in ipairs(module.options) do all[#all + 1] = option end
  end
  return all
end

local function set_of(list)
  local set = {}
  for _, value in ipairs(list) do set[value] = true end
  return set
end

local CHECKS = {
  number = function(value, what, option)
    check.number(value, what, option)
  end,
  integer = function(value, what, option)
    check.integer(value, what, option)
  end,
  boolean = function(value, what) check.boolean(value, what) end,
  choice = function(value, what, option)
    check.choice(value, what, set_of(option.choices))
  end,
  strings = function(value, what)
    check.table(value, what)
    for i, each in ipairs(value) do
      check.string(each, ("%s: %d"):format(what, i))
    end
  end,
}

--- Checks the options of all techniques.
-- @tparam table o options of `train`
-- @raise when one is out of range, or of no use beside another
function techniques.check(o)
  for _, option in ipairs(techniques.options()) do
    local value = o[option.name]
    if value ~= nil then
      CHECKS[option.type](value, "train: " .. option.name, option)
    end
  end
  for _, module in ipairs(modules()) do
    if module.check then module.check(o) end
  end
end

-- }========

local function check_single(run, i, module)
  local only = module.single_label and module.single_label(run.options)
  if only and not run.model.problem.is_single then
    error(("train: %s: only for %s, not %s"):format(NAMES[i],
      problem.DEFAULT, run.model.problem.name), 0)
  end
end

-- Before any technique is made, which may change the model.
local function check_run(run)
  for i, module in ipairs(modules()) do
    check_single(run, i, module)
    if module.check_rows then module.check_rows(run) end
  end
end

--- Makes the techniques that a training asks for.
-- @tparam table run its `options`, `model` and `plan`
-- @treturn {table,...}
-- @raise when one is not for the model's type of problem or the rows; the
--   model stays as it was
function techniques.new(run)
  local list = {}
  check_run(run)
  for _, module in ipairs(modules()) do list[#list + 1] = module.new(run) end
  return list
end

--- Calls a method of all that have it.
-- @tparam table run
-- @string method
-- @param ... its arguments
function techniques.each(run, method, ...)
  for _, technique in ipairs(run.techniques) do
    if technique[method] then technique[method](technique, ...) end
  end
end

--- Sends a value through a method of all that have it.
-- @tparam table run
-- @string method
-- @tparam table item
-- @param value its second argument
-- @param ... further ones
-- @return what the last of them returns
function techniques.through(run, method, item, value, ...)
  for _, technique in ipairs(run.techniques) do
    if technique[method] then
      value = technique[method](technique, item, value, ...)
    end
  end
  return value
end

return techniques
