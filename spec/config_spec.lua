local encoder = require "lunula.encoder"
local file = require "spec.support.file"
local json = require "lunula.json"
local safetensors = require "lunula.safetensors"
local tensor = require "lunula.tensor"

local FIXTURES = "spec/fixtures/encoder/"

describe("a config", function()
  local function new(changes)
    local config = { hidden_size = 8, num_hidden_layers = 1,
      num_attention_heads = 2, intermediate_size = 16, vocab_size = 30 }
    for name, value in pairs(changes) do config[name] = value end
    return function() encoder.new(config) end
  end

  it("is refused when it asks for what is not supported", function()
    assert.has_error(new { model_type = "roberta" },
      "config: model_type: only bert is supported, got roberta")
    assert.has_error(new { position_embedding_type = "relative_key" },
      "config: position_embedding_type: only absolute is supported, "
      .. "got relative_key")
    assert.has_error(new { is_decoder = "yes" },
      "config: is_decoder: expected true or false, got yes")
    assert.has_error(new { add_cross_attention = true },
      "config: add_cross_attention: only false is supported, got true")
    assert.has_error(new { hidden_act = "swish" }, "config: hidden_act: "
      .. "expected gelu, gelu_new, gelu_pytorch_tanh or relu, got swish")
  end)

  it("is refused when a size is missing or makes no sense", function()
    assert.has_error(new { num_attention_heads = 3 },
      "config: hidden_size 8 is no multiple of num_attention_heads 3")
    assert.has_error(new { vocab_size = "many" }, "config: vocab_size: "
      .. "expected an integer from 1 to 268435456, got many")
    assert.has_error(new { hidden_size = 0 })
    assert.has_error(new { intermediate_size = 1.5 })
    assert.has_error(new { layer_norm_eps = 0 })
    assert.has_error(new { hidden_dropout_prob = 1 },
      "config: hidden_dropout_prob: expected a number of at least 0 and "
      .. "below 1, got 1")
    assert.has_error(new { initializer_range = "x" }, "config: "
      .. "initializer_range: expected a number of at least 0, got 'x'")
    assert.has_error(function() encoder.new() end,
      "encoder.new: expected a table, got nil")
  end)

  it("is refused when the file lacks a tensor or has another shape",
  function()
    local config = json.decode(file.read(FIXTURES .. "odd/config.json"), "c")
    local saved = safetensors.read(FIXTURES .. "odd/model.safetensors")
    local tensors = {}
    for name, t in pairs(saved.tensors) do tensors[name] = t end
    local name = "bert.embeddings.LayerNorm.bias"
    tensors[name] = nil
    assert.has_error(function()
      encoder.from { config = config, tensors = tensors }
    end, "model.safetensors: no tensor 'embeddings.LayerNorm.bias', which "
      .. "the config asks for")
    tensors[name] = tensor.zeros { 21 }
    assert.has_error(function()
      encoder.from { config = config, tensors = tensors }
    end, "model.safetensors: embeddings.LayerNorm.bias is [21], the config "
      .. "asks for [20]")
    tensors[name] = tensor.zeros { 20 }
    tensors["bert.pooler.dense.weight"] = tensor.zeros { 1, 3 }
    tensors["bert.pooler.dense.bias"] = tensor.zeros { 20 }
    local ok, why = pcall(encoder.from,
      { config = config, tensors = tensors, dir = "my-model" })
    assert.is_false(ok)
    assert.matches("^my%-model/model%.safetensors: pooler%.dense%.weight: ",
      why)
  end)
end)
