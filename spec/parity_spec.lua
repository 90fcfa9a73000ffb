--- Training and the real model, beside what PyTorch and transformers gave
-- (spec/fixtures/encoder.py).

local checkpoint = require "lunula.checkpoint"
local encoder = require "lunula.encoder"
local hub = require "lunula.hub"
local no_grad = require "lunula.grad".no_grad
local nn = require "lunula.nn"
local optim = require "lunula.optim"
local safetensors = require "lunula.safetensors"
local tensor = require "lunula.tensor"

local FIXTURES = "spec/fixtures/encoder/"

describe("twenty steps of AdamW", function()
  for _, name in ipairs { "odd", "tanh", "relu", "whole", "causal" } do
    it("follow PyTorch's losses (" .. name .. ")", function()
      local saved = checkpoint.read(FIXTURES .. name)
      local expected =
        safetensors.read(FIXTURES .. name .. "/expected.safetensors").tensors
      local model = encoder.from(saved)
      local head = nn.linear(model.hidden_size, 3)
      head.weight:copy(saved.tensors["classifier.weight"])
      head.bias:copy(saved.tensors["classifier.bias"])
      local optimizer = optim.adamw({ model, head },
        { learning_rate = 1e-3, weight_decay = 0.01 })
      for step, wanted in ipairs(expected.losses:totable()) do
        local hidden = model:forward(expected)
        local loss = nn.cross_entropy(head:forward(hidden:pool "pooler"),
          { 0, 1, 2, 0 })
        local off = math.abs(loss:item() - wanted) / wanted
        assert.is_true(off < 1e-3, ("step %d: %g, PyTorch %g")
          :format(step, loss:item(), wanted))
        loss:backward()
        optimizer:clip(1.0)
        optimizer:step()
      end
    end)
  end
end)

describe("all-MiniLM-L6-v2", function()
  it("gives what transformers gives", function()
    local model = encoder.load(hub.fetch("all-MiniLM-L6-v2").path)
    local expected =
      safetensors.read(FIXTURES .. "minilm.safetensors").tensors
    local batch = { ids = expected.ids, offsets = expected.offsets,
      types = tensor.zeros(expected.ids:shape(), "int32") }
    local hidden = no_grad(model.forward, model, batch).values
    local off = hidden - expected.output
    assert.is_true((off * off):max():item() ^ 0.5 < 1e-4)
  end)
end)
