--- Trainings of the tiny model, for specs of what a training may do.
local classifier = require "lunula.classifier"
local tiny = require "spec.support.tiny"
local train = require "lunula.train"

local fits = {}

--- The rows that are learnt from when no others are given.
fits.rows = tiny.reviews(32)

--- The model that is trained, the same each time.
-- @treturn classifier
function fits.new_model()
  local dir = tiny.temporary()
  tiny.write_encoder(dir .. "/encoder")
  local model = classifier(dir .. "/encoder",
    { labels = { "negative", "positive" }, seed = 1 })
  tiny.remove(dir)
  return model
end

--- Trains a new model.
-- @tparam table given options of `train`, over four steps of eight rows
-- @tparam[opt] {table,...} rows
-- @treturn {number,...} the losses of all steps
-- @treturn classifier
-- @treturn table what `train` returned
function fits.fit(given, rows)
  local model = fits.new_model()
  local options = { epochs = 1, batch_size = 8, learning_rate = 3e-3 }
  for name, value in pairs(given) do options[name] = value end
  local result, losses = train(model, rows or fits.rows, options), {}
  for i, step in ipairs(result.steps) do losses[i] = step.loss end
  return losses, model, result
end

--- The numbers of all weights, by name.
-- @tparam classifier model
-- @treturn table
function fits.weights(model)
  local all = {}
  for _, p in ipairs(model:parameters()) do
    all[p.name] = p.tensor:totable()
  end
  return all
end

return fits
