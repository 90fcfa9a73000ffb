--- Trains a tiny model and looks at the memory of the process meanwhile.
local classifier = require "lunula.classifier"
local core = require "lunula.core"
local resident = require "spec.support.resident"
local tiny = require "spec.support.tiny"
local train = require "lunula.train"

local steady = {}

local BATCH, ROWS = 8, 64

local function memory()
  return resident.mib() or core.system.peak_rss()
end

--- How much memory the second half of a training takes, MiB.
-- @int steps
-- @treturn number
function steady.growth(steps)
  local dir = tiny.temporary()
  tiny.write_encoder(dir)
  local model = classifier(dir, { labels = { "negative", "positive" } })
  local rows = tiny.reviews(ROWS)
  local middle
  train(model, rows, {
    batch_size = BATCH, epochs = steps / (ROWS / BATCH), learning_rate = 1e-4,
    on_step = function(info)
      if info.step == steps / 2 then middle = memory() end
    end,
  })
  tiny.remove(dir)
  return memory() - middle
end

return steady
