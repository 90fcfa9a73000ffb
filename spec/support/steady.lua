--- Trains a tiny model and looks at the process meanwhile.
local classifier = require "lunula.classifier"
local core = require "lunula.core"
local resident = require "spec.support.resident"
local tiny = require "spec.support.tiny"
local train = require "lunula.train"

local steady = {}

local BATCH, ROWS = 8, 64
local WIDE = {
  hidden_size = 128, intermediate_size = 512, num_hidden_layers = 2,
}

local function memory()
  return resident.mib() or core.system.peak_rss()
end

-- by how much a measure grows in the second half of a training
local function second_half(steps, measure, changes)
  local dir = tiny.temporary()
  tiny.write_encoder(dir, changes)
  local model = classifier(dir, { labels = { "negative", "positive" } })
  local rows = tiny.reviews(ROWS)
  local middle, last
  train(model, rows, {
    batch_size = BATCH, epochs = steps / (ROWS / BATCH), learning_rate = 1e-4,
    on_step = function(info)
      if info.step == steps / 2 then middle = measure() end
      last = measure()
    end,
  })
  tiny.remove(dir)
  return last - middle
end

--- How much memory the second half of a training takes, MiB.
-- @int steps
-- @treturn number
function steady.growth(steps)
  return second_half(steps, memory)
end

--- How many large blocks the second half of a training asks the system for,
-- where gradients, moments and the encoder's own memory are large.
-- @int steps
-- @treturn int
function steady.mappings(steps)
  return second_half(steps, core.system.mappings, WIDE)
end

return steady
