--- Ops that draw: dropout, mixout, random tensors.
local assert_close = require "spec.support.close"
local tensor = require "lunula.tensor"

local x = tensor.from({ { 1, 2, 3 }, { 4, 5, 6 } })

describe("dropout", function()
  local ones = tensor.ones({ 10000 })

  it("keeps the mean and drops about p", function()
    local dropped = ones:dropout(0.25, 1)
    local zeros = 0
    for _, v in ipairs(dropped:totable()) do
      if v == 0 then zeros = zeros + 1 else assert_close(1 / 0.75, v) end
    end
    assert.is_true(math.abs(zeros - 2500) < 150)
  end)

  it("is the same for the same stream, and another for another", function()
    local t = ones:dropout(0.5, 1, 2, 3):totable()
    assert.are.same(t, ones:dropout(0.5, 1, 2, 3):totable())
    assert.are_not.same(t, ones:dropout(0.5, 2, 2, 3):totable())
    assert.are_not.same(t, ones:dropout(0.5, 1, 3, 3):totable())
    assert.are.same(ones:dropout(0.5, 1, 2, 0):slice(1, 4, 10):totable(),
      ones:dropout(0.5, 1, 2, 3):slice(1, 1, 7):totable())
  end)

  it("draws as the encoder does, from any position", function()
    local core = require "lunula.core"
    local stream = tensor.ones { 700 }
    core.kernels.dropout(stream, 0.3, 5, 6)
    for _, position in ipairs { 0, 1, 127, 128, 200 } do
      for _, n in ipairs { 1, 28, 128, 129, 500 } do
        assert.are.same(stream:slice(1, position + 1, position + n):totable(),
          tensor.ones({ n }):dropout(0.3, 5, 6, position):totable())
      end
    end
    local t = tensor.normal({ 5, 7 }):transpose(1, 2)
    assert.are.same(t:contiguous():dropout(0.3, 5, 6, 3):totable(),
      t:dropout(0.3, 5, 6, 3):totable())
  end)

  it("takes no p that is 1 as a float", function()
    local almost = 1 - 1e-12
    assert.has_error(function() x:dropout(almost) end)
    local core = require "lunula.core"
    local model = core.encoder {
      hidden_size = 4, num_hidden_layers = 0, num_attention_heads = 1,
      intermediate_size = 4, vocab_size = 4, max_position_embeddings = 4,
      type_vocab_size = 1, pad_token_id = -1, layer_norm_eps = 1e-12,
      hidden_act = "relu",
    }
    local zero = tensor.from({ 0 }, "int32")
    assert.error_matches(function()
      model:forward(zero, zero, tensor.from({ 0, 1 }, "int32"), almost)
    end, "a probability of at least 0 and below 1", 1, true)
  end)

  it("changes nothing with p = 0", function()
    assert.are.same(x:totable(), x:dropout(0):totable())
  end)
end)

describe("mixout", function()
  it("is what the paper says, where dropout of the stream drops", function()
    local w, w0 = tensor.normal({ 40, 7 }), tensor.normal({ 40, 7 },
      { purpose = 1 })
    local p, seed, purpose, position = 0.7, 3, 4, 100
    local m = {}
    for i, kept in ipairs(tensor.ones({ 280 }):dropout(p, seed, purpose,
        position):totable()) do
      m[i] = kept == 0 and 1 or 0
    end
    local a, b = w:reshape { -1 }:totable(), w0:reshape { -1 }:totable()
    local mixed = w:mixout(w0, p, seed, purpose, position):reshape { -1 }
    for i, got in ipairs(mixed:totable()) do
      assert_close(((1 - m[i]) * a[i] + m[i] * b[i] - p * b[i]) / (1 - p),
        got)
    end
    local turned = w:transpose(1, 2):mixout(w0:transpose(1, 2), p, seed)
    assert.are.same(turned:totable(), w:transpose(1, 2):contiguous()
      :mixout(w0:transpose(1, 2):contiguous(), p, seed):totable())
  end)

  it("and dropout give the same bits with 1, 2 and 7 threads", function()
    local core = require "lunula.core"
    local threads = core.threads()
    local w, w0 = tensor.normal { 100003 }, tensor.ones { 100003 }
    local function bits()
      return { w:dropout(0.3, 1, 2, 77):totable(),
        w:mixout(w0, 0.3, 1, 2, 77):totable() }
    end
    core.threads(1)
    local one = bits()
    for _, n in ipairs { 2, 7 } do
      core.threads(n)
      assert.are.same(one, bits())
    end
    core.threads(threads)
  end)
end)

describe("random tensors", function()
  it("normal have the mean and the deviation asked for", function()
    local t = tensor.normal({ 20000 }, { mean = 3, std = 2, seed = 5 })
    local off = t - 3
    assert.is_true(math.abs(t:mean():item() - 3) < 0.05)
    assert.is_true(math.abs((off * off):mean():item() - 4) < 0.15)
  end)

  it("uniform fill their range evenly", function()
    local t = tensor.uniform({ 20000 }, { low = -1, high = 3, seed = 5 })
    assert.is_true(math.abs(t:mean():item() - 1) < 0.03)
    assert.is_true(t:max():item() <= 3 and (-t):max():item() <= 1)
  end)

  it("depend on seed and purpose alone", function()
    local t = tensor.normal({ 3 }, { seed = 1, purpose = 2 }):totable()
    assert.are.same(t, tensor.normal({ 3 }, { seed = 1, purpose = 2 })
      :totable())
    assert.are_not.same(t, tensor.normal({ 3 }, { seed = 1 }):totable())
    assert.has_error(function() tensor.normal({ 3 }, { sd = 1 }) end,
      "tensor.normal: unknown option 'sd'; known: mean, purpose, seed, std")
  end)
end)
