--- The classifier that a command was given, and how it is to run.
-- @module lunula.cli.model

local arguments = require "lunula.cli.arguments"
local fetch = require "lunula.cli.fetch"

local model = {}

--- What commands that run a classifier are given beside it.
model.options = {
  { name = "precision", value = "fp32|bf16|int8",
    choices = { "fp32", "bf16", "int8" },
    what = "of the arithmetic; the folder's when not given" },
  { name = "threads", type = "integer", value = "N", min = 1, max = 64,
    what = "processors to use; all when not given" },
}

--- A command's own options, then these, as one list.
-- @tparam {table,...} own
-- @treturn {table,...}
-- @usage options = model.with_options(texts.options)
function model.with_options(own)
  return arguments.joined { own, model.options }
end

--- Loads the classifier.
-- @tparam table values `model`, `precision` and `threads` as the command line
--   gave them
-- @treturn classifier
-- @raise as `lunula.classifier`
function model.load(values)
  local lunula = require "lunula"
  if values.threads then lunula.threads(values.threads) end
  return lunula.classifier(fetch.model(values.model),
    { precision = values.precision })
end

return model
