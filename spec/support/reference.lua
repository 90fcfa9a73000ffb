--- Encoders that transformers computed with (spec/fixtures/encoder.py).
local encoder = require "lunula.encoder"
local file = require "spec.support.file"
local json = require "lunula.json"
local safetensors = require "lunula.safetensors"

local reference = {}

local FIXTURES = "spec/fixtures/encoder/"

--- The encoder of a fixture, and the tensors that transformers got of it.
function reference.load(name)
  local dir = FIXTURES .. name
  local config = json.decode(file.read(dir .. "/config.json"), "config.json")
  local saved = safetensors.read(dir .. "/model.safetensors")
  return encoder.from { config = config, tensors = saved.tensors },
    safetensors.read(dir .. "/expected.safetensors").tensors
end

--- The batch that they are of.
function reference.batch(expected)
  return { ids = expected.ids, types = expected.types,
    offsets = expected.offsets }
end

--- The largest element, without its sign.
function reference.largest(t)
  return (t * t):max():item() ^ 0.5
end

return reference
