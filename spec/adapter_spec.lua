local core = require "lunula.core"
local encoder = require "lunula.encoder"
local no_grad = require "lunula.grad".no_grad
local reference = require "spec.support.reference"
local tensor = require "lunula.tensor"

local largest = reference.largest

-- sizes that no vector divides, with adapters wider than all else; and whole
-- panels of 64
local ODD = { hidden_size = 12, num_hidden_layers = 2,
  num_attention_heads = 2, intermediate_size = 20, adapter_size = 43 }
local NARROW = { hidden_size = 12, num_hidden_layers = 2,
  num_attention_heads = 2, intermediate_size = 20, adapter_size = 5 }
local WHOLE = { hidden_size = 64, num_hidden_layers = 2,
  num_attention_heads = 2, intermediate_size = 128, adapter_size = 64 }
-- OpenBLAS's products among our own
local MIXED = { hidden_size = 64, num_hidden_layers = 2,
  num_attention_heads = 2, intermediate_size = 128, adapter_size = 24 }

-- with weights that do much, adapters' and biases too
local function make(sizes, changes)
  local config = { vocab_size = 30, max_position_embeddings = 50 }
  for name, value in pairs(sizes) do config[name] = value end
  for name, value in pairs(changes or {}) do config[name] = value end
  local model = encoder.new(config, { seed = 1 })
  for i, p in ipairs(model:parameters()) do
    local wide = p.tensor:shape()[2] or 9
    p.tensor:copy(tensor.normal(p.tensor:shape(),
      { std = wide ^ -0.5, seed = 2, purpose = i,
        mean = p.name:find "LayerNorm.weight" and 1 or 0 }))
  end
  return model
end

local function batch(...)
  local ids, offsets = {}, { 0 }
  for _, length in ipairs { ... } do
    for i = 1, length do ids[#ids + 1] = (i + #offsets) * 7 % 30 end
    offsets[#offsets + 1] = #ids
  end
  return { ids = tensor.from(ids, "int32"),
    types = tensor.zeros({ #ids }, "int32"),
    offsets = tensor.from(offsets, "int32") }
end

local function tensors_of(model)
  local found = {}
  for _, p in ipairs(model:parameters()) do found[p.name] = p.tensor end
  return found
end

-- a seen loss of a batch of 51 tokens
local TEXTS, SEEN = batch(47, 3, 1), 51

local function loss_of(model)
  local hidden = model:seed(3):forward(TEXTS).values
  local weight = tensor.normal({ SEEN, model.hidden_size }, { seed = 5 })
  return (hidden * weight):sum(), hidden
end

-- of a step with dropout
local function gradients(model, precision, checkpointing)
  model:set_precision(precision):gradient_checkpointing(checkpointing)
  model:train()
  model.hidden_dropout, model.attention_dropout = 0.1, 0.1
  local loss, hidden = loss_of(model)
  loss:backward()
  local found = {}
  for _, p in ipairs(model:parameters()) do
    local grad = p.tensor:grad()
    found[p.name] = grad and grad:totable()
  end
  return found, hidden:totable()
end

describe("An encoder with adapters", function()
  it("has them by name, beside the layers that they follow", function()
    local shapes = {}
    for name, t in pairs(tensors_of(make(NARROW))) do
      if name:find "adapter" then shapes[name] = t:shape() end
    end
    local wanted = {}
    for layer = 0, 1 do
      for _, half in ipairs { "attention.output", "output" } do
        local name = ("encoder.layer.%d.%s.adapter."):format(layer, half)
        wanted[name .. "down.weight"] = { 5, 12 }
        wanted[name .. "down.bias"] = { 5 }
        wanted[name .. "up.weight"] = { 12, 5 }
        wanted[name .. "up.bias"] = { 12 }
      end
    end
    assert.are.same(wanted, shapes)
  end)

  it("begins as the one without", function()
    local function new(adapter_size)
      local config = { vocab_size = 30, max_position_embeddings = 50 }
      for name, value in pairs(WHOLE) do config[name] = value end
      config.adapter_size = adapter_size
      return encoder.new(config, { seed = 1 }):forward(TEXTS).values
    end
    local without, with = new(nil), new(64)
    local off = largest(with - without)
    assert.is_true(0 < off and off < 1e-3, "off by " .. off)
  end)

  it("is h + up(gelu(down(h))) before each Add & Norm", function()
    local model = make(NARROW, { num_attention_heads = 1,
      num_hidden_layers = 1, layer_norm_eps = 1e-5 })
    local all = tensors_of(model)
    local function weight(name) return all["encoder.layer.0." .. name] end
    local function linear(x, name)
      return x:matmul(weight(name .. ".weight"):transpose(1, 2))
        + weight(name .. ".bias")
    end
    local function half(h, residual, name)
      local adapted = linear(linear(h, name .. ".adapter.down"):gelu(),
        name .. ".adapter.up")
      return (residual + h + adapted):layer_norm(
        weight(name .. ".LayerNorm.weight"), weight(name .. ".LayerNorm.bias"),
        1e-5)
    end
    local texts = batch(7)
    local x = (model:embed(texts)
      + all["embeddings.position_embeddings.weight"]:slice(1, 1, 7)
      + all["embeddings.token_type_embeddings.weight"]:slice(1, 1, 1))
      :layer_norm(all["embeddings.LayerNorm.weight"],
        all["embeddings.LayerNorm.bias"], 1e-5)
    local q, k = linear(x, "attention.self.query"),
      linear(x, "attention.self.key")
    local context = (q:matmul(k:transpose(1, 2)) / 12 ^ 0.5):softmax(-1)
      :matmul(linear(x, "attention.self.value"))
    local h = half(linear(context, "attention.output.dense"), x,
      "attention.output")
    local wanted = half(linear(linear(h, "intermediate.dense"):gelu(),
      "output.dense"), h, "output")
    assert.is_true(largest(model:forward(texts).values - wanted) < 1e-4)
  end)

  for name, sizes in pairs { odd = ODD, narrow = NARROW, whole = WHOLE,
      mixed = MIXED } do
    it("has the gradient that is the slope of the loss, with dropout: "
      .. name, function()
        local model = make(sizes):train()
        model.hidden_dropout, model.attention_dropout = 0.2, 0.2
        loss_of(model):backward()
        for _, p in ipairs(model:parameters()) do
          local grad = p.tensor:grad()
          local adapter = p.name:find "adapter" ~= nil
          assert.is_true(not adapter or largest(grad) > 0.05, p.name)
          if grad and largest(grad) > 0.05 then
            local direction = grad:detach()
            local slope = (direction * direction):sum():item()
            local step = direction * (4e-3 / slope ^ 0.5)
            local before = p.tensor:detach():clone()
            p.tensor:copy((before + step):detach())
            local up = no_grad(loss_of, model):item()
            p.tensor:copy((before - step):detach())
            local down = no_grad(loss_of, model):item()
            p.tensor:copy(before)
            local measured = (up - down) / (8e-3 / slope ^ 0.5)
            assert.is_true(math.abs(measured - slope) < 0.02 * slope,
              ("%s: slope %g, measured %g"):format(p.name, slope, measured))
          end
        end
      end)

    it("gives the same bits with 1, 2 and 7 threads, and checkpointed: "
      .. name, function()
        local threads = core.threads()
        for _, precision in ipairs { "fp32", "bf16" } do
          core.threads(1)
          local wanted, hidden = gradients(make(sizes), precision, false)
          for _, n in ipairs { 1, 2, 7 } do
            core.threads(n)
            local found, output = gradients(make(sizes), precision, n ~= 2)
            assert.are.same(hidden, output)
            assert.are.same(wanted, found)
          end
        end
        core.threads(threads)
      end)

    it("gives a few trained weights the gradient that they have among all: "
      .. name, function()
        for _, precision in ipairs { "fp32", "bf16" } do
          local all = gradients(make(sizes), precision, false)
          for _, pattern in ipairs { "adapter", "down%.weight", "up%.weight",
              "1%.output%.adapter", "adapter%..*bias", "LayerNorm",
              "0%.attention%.output%.dense%.weight" } do
            local model, wanted = make(sizes), {}
            for _, p in ipairs(model:parameters()) do
              local learns = p.name:find(pattern) ~= nil
              p.tensor:requires_grad(learns)
              wanted[p.name] = learns and all[p.name] or nil
            end
            assert.are.same(wanted, (gradients(model, precision, false)),
              pattern)
          end
        end
      end)
  end

  it("is close to float32 in bfloat16, and not the same", function()
    local _, exact = gradients(make(MIXED), "fp32", false)
    local _, rounded = gradients(make(MIXED), "bf16", false)
    local off = largest(tensor.from(exact) - tensor.from(rounded))
    assert.is_true(0 < off and off < 0.1 * largest(tensor.from(exact)),
      "off by " .. off)
  end)
end)
