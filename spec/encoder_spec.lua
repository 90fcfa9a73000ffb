local core = require "lunula.core"
local encoder = require "lunula.encoder"
local no_grad = require "lunula.grad".no_grad
local optim = require "lunula.optim"
local reference = require "spec.support.reference"
local tensor = require "lunula.tensor"

local load_fixture, batch_of = reference.load, reference.batch
local largest = reference.largest

local function tiny(seed, changes)
  local config = { hidden_size = 8, num_hidden_layers = 2,
    num_attention_heads = 2, intermediate_size = 16, vocab_size = 30,
    max_position_embeddings = 12 }
  for name, value in pairs(changes or {}) do config[name] = value end
  return encoder.new(config, { seed = seed or 1 })
end

local function batch(...)
  local ids, types, offsets = {}, {}, { 0 }
  for _, sequence in ipairs { ... } do
    for _, id in ipairs(sequence) do
      ids[#ids + 1] = id
      types[#types + 1] = 0
    end
    offsets[#offsets + 1] = #ids
  end
  return { ids = tensor.from(ids, "int32"),
    types = tensor.from(types, "int32"),
    offsets = tensor.from(offsets, "int32") }
end

-- output and gradients of a training step with dropout, to the last bit
local function bits(name, precision, checkpointing)
  local model, expected = load_fixture(name)
  model:set_precision(precision):gradient_checkpointing(checkpointing)
  model:train():seed(3)
  model.hidden_dropout, model.attention_dropout = 0.1, 0.1
  local hidden = model:forward(batch_of(expected)).values
  ;(hidden * expected.weight):sum():backward()
  local all = { hidden:totable() }
  for _, p in ipairs(model:parameters()) do
    local grad = p.tensor:grad()
    all[p.name] = grad and grad:totable()
  end
  return all
end

local function same_with_any_threads(f)
  local threads = core.threads()
  core.threads(1)
  local one = f()
  for _, n in ipairs { 2, 3, 7 } do
    core.threads(n)
    assert.are.same(one, f())
  end
  core.threads(threads)
end

describe("the encoder beside PyTorch", function()
  for _, name in ipairs { "odd", "tanh", "relu", "whole", "causal" } do
    it("gives the same output (" .. name .. ")", function()
      local model, expected = load_fixture(name)
      local hidden = model:forward(batch_of(expected))
      assert.is_true(largest(hidden.values - expected.output) < 1e-5)
      assert.is_true(largest(hidden:pool "pooler" - expected.pooled) < 1e-5)
    end)

    it("gives every parameter the same gradient (" .. name .. ")", function()
      local model, expected = load_fixture(name)
      local hidden = model:forward(batch_of(expected))
      ;(hidden.values * expected.weight):sum():backward()
      -- a key's bias moves no probability: its gradient is 0 but for rounding
      local top = 0
      for _, p in ipairs(model:parameters()) do
        local wanted = rawget(expected, "grad." .. p.name)
        if wanted then top = math.max(top, largest(wanted)) end
      end
      for _, p in ipairs(model:parameters()) do
        local wanted = rawget(expected, "grad." .. p.name)
        if p.name:find "^pooler" then
          assert.is_nil(p.tensor:grad())
        else
          local scale = math.max(largest(wanted), 1e-3 * top)
          local off = largest(p.tensor:grad() - wanted) / scale
          assert.is_true(off < 1e-3, p.name .. " is off by " .. off)
        end
      end
    end)
  end
end)

describe("the encoder's dropout", function()
  it("is off at first, and off again after train(false)", function()
    local model, b = tiny(), batch({ 1, 2, 3 }, { 4, 5 })
    local plain = model:forward(b).values:totable()
    assert.are.same(plain, model:forward(b).values:totable())
    assert.are_not.same(plain, model:train():forward(b).values:totable())
    assert.are.same(plain, model:train(false):forward(b).values:totable())
  end)

  it("draws new masks at every forward, the same for the same seed",
  function()
    local model, b = tiny():train(), batch({ 1, 2, 3 }, { 4, 5 })
    local first = model:seed(7):forward(b).values:totable()
    assert.are_not.same(first, model:forward(b).values:totable())
    assert.are.same(first, model:seed(7):forward(b).values:totable())
    assert.are_not.same(first, model:seed(8):forward(b).values:totable())
    for _, far in ipairs { 20, 32, 52 } do
      assert.are_not.same(first,
        model:seed(7 + 2 ^ far):forward(b).values:totable())
    end
  end)

  it("drops in the backward what it dropped in the forward", function()
    -- the loss is steep in one parameter's direction: compare its slope with
    -- a finite difference while the masks stay the same
    local model, b = tiny():train(), batch({ 1, 2, 3, 4, 5 }, { 6, 7 })
    model.hidden_dropout, model.attention_dropout = 0.3, 0.3
    local weight = tensor.normal({ 7, 8 }, { seed = 3 })
    local function loss()
      return (model:seed(5):forward(b).values * weight):sum()
    end
    loss():backward()
    local checked = 0
    for _, p in ipairs(model:parameters()) do
      if p.tensor:grad() and largest(p.tensor:grad()) > 0.05 then
        local direction = p.tensor:grad():detach()
        local slope = (direction * direction):sum():item()
        local eps = 1e-3 / slope ^ 0.5
        local before = p.tensor:contiguous():detach():clone()
        p.tensor:copy((before + direction * eps):detach())
        local up = no_grad(loss):item()
        p.tensor:copy((before - direction * eps):detach())
        local down = no_grad(loss):item()
        p.tensor:copy(before)
        local measured = (up - down) / (2 * eps)
        assert.is_true(math.abs(measured - slope) < 0.05 * slope,
          ("%s: slope %g, measured %g"):format(p.name, slope, measured))
        checked = checked + 1
      end
    end
    assert.is_true(checked > 20, checked .. " parameters were checked")
  end)
end)

-- by name; none of what is frozen
local function gradients_of(model)
  local found = {}
  for _, p in ipairs(model:parameters()) do
    local grad = p.tensor:grad()
    found[p.name] = grad and grad:totable()
  end
  return found
end

describe("the encoder", function()
  it("reads each sequence as if it were alone", function()
    local model = tiny()
    local together = model:forward(batch({ 1, 2, 3 }, { 4, 5 })).values
    local alone = model:forward(batch({ 4, 5 })).values
    assert.is_true(largest(together:slice(1, 4, 5) - alone) < 1e-6)
  end)

  it("gives the same bits with 1, 2, 3 and 7 threads", function()
    same_with_any_threads(function() return bits("odd", "fp32", false) end)
    same_with_any_threads(function() return bits("whole", "fp32", false) end)
    same_with_any_threads(function() return bits("causal", "fp32", false) end)
  end)

  it("gives frozen parameters no gradient and the others the same", function()
    local function gradients(...)
      local model = tiny()
      for _, p in ipairs(model:parameters()) do
        for _, frozen in ipairs { ... } do
          if p.name:find(frozen) then p.tensor:requires_grad(false) end
        end
      end
      local hidden = model:forward(batch({ 1, 2, 3 }, { 4, 5 }))
      ;(hidden:pool "mean"):slice(2, 1, 3):sum():backward()
      return gradients_of(model)
    end
    local all, top = gradients(), gradients "^embeddings"
    assert.is_nil(top["embeddings.word_embeddings.weight"])
    local name = "encoder.layer.0.attention.self.query.weight"
    assert.are.same(all[name], top[name])
    local last = gradients("^embeddings", "layer%.0")
    assert.is_nil(last[name])
    name = "encoder.layer.1.output.dense.weight"
    assert.are.same(all[name], last[name])
  end)

  -- sizes of which our own products take float32, too; an odd number of tokens
  it("gives a few trained weights the gradient that they have among all",
  function()
    local ids = {}
    for i = 1, 47 do ids[i] = i * 7 % 30 end
    local texts = batch(ids, { 1, 2, 3 }, { 4 })
    local function gradients(precision, checkpointing, is_trained)
      local model = encoder.new({ hidden_size = 64, num_hidden_layers = 2,
        num_attention_heads = 2, intermediate_size = 128, vocab_size = 30,
        max_position_embeddings = 50 }, { seed = 1 })
      model:set_precision(precision):gradient_checkpointing(checkpointing)
      model:train():seed(3)
      for _, p in ipairs(model:parameters()) do
        p.tensor:requires_grad(is_trained(p.name))
      end
      local hidden = model:forward(texts).values
      ;(hidden * tensor.normal({ 51, 64 }, { seed = 5 })):sum():backward()
      return gradients_of(model)
    end
    for _, precision in ipairs { "fp32", "bf16" } do
      local all = gradients(precision, false, function() return true end)
      for _, pattern in ipairs {
        "query%.weight", "value%.weight", "value", "%d%.output%.dense%.weight",
        "attention%.output%.dense%.weight", "intermediate%.dense%.weight",
        "intermediate%.dense%.bias", "LayerNorm", "1%.attention%.output",
        "0%.output%.dense", "1%.intermediate", "1%.attention%.self%.key",
      } do
        for _, some in ipairs {
          function(name) return name:find(pattern) ~= nil end,
          function(name) return not name:find(pattern) end,
        } do
          local wanted = {}
          for name, grad in pairs(all) do
            wanted[name] = some(name) and grad or nil
          end
          assert.are.same(wanted, gradients(precision, false, some), pattern)
          assert.are.same(wanted, gradients(precision, true, some), pattern)
        end
      end
    end
  end)

  it("records nothing when nothing in it learns", function()
    local model, texts = tiny(), batch({ 1, 2, 3 })
    assert.is_true(model:forward(texts).values:requires_grad())
    for _, p in ipairs(model:parameters()) do p.tensor:requires_grad(false) end
    assert.is_false(model:forward(texts).values:requires_grad())
    local head = tensor.ones({ 8 }):requires_grad(true)
    model:forward(texts):pool("mean"):matmul(head):sum():backward()
    assert.is_not_nil(head:grad())
    assert.are.same({}, gradients_of(model))
  end)

  -- what was frozen may be packed, and words may be steps behind
  it("learns and stops to learn from step to step", function()
    local WHOLE = { hidden_size = 64, intermediate_size = 128 }
    for _, precision in ipairs { "fp32", "bf16" } do
      local model = tiny(1, WHOLE):set_precision(precision)
      local optimizer = optim.adamw(model, { learning_rate = 1e-2 })
      local patterns = { "layer%.1", "layer", ".", "layer%.1", "embeddings",
        ".", "bias" }
      for i, pattern in ipairs(patterns) do
        local texts, before = batch({ i, 2, 3 }, { 4, 5 + i }), {}
        for _, p in ipairs(model:parameters()) do
          p.tensor:requires_grad(p.name:find(pattern) ~= nil)
          before[p.name] = p.tensor:totable()
        end
        local hidden = model:forward(texts).values
        hidden:slice(2, 1, 20):sum():backward()
        optimizer:step()
        local fresh = tiny(2, WHOLE):set_precision(precision)
        for k, p in ipairs(model:parameters()) do
          if not p.name:find(pattern) then
            assert.are.same(before[p.name], p.tensor:totable(), p.name)
          elseif not p.name:find "pooler" then
            assert.are_not.same(before[p.name], p.tensor:totable(), p.name)
          end
          fresh:parameters()[k].tensor:copy(p.tensor)
        end
        assert.are.same(no_grad(fresh.forward, fresh, texts).values:totable(),
          no_grad(model.forward, model, texts).values:totable())
      end
    end
  end)

  it("normalises what differs, however far from 0 it all is", function()
    local model = encoder.new { hidden_size = 24, num_hidden_layers = 0,
      num_attention_heads = 2, intermediate_size = 16, vocab_size = 30 }
    local parameters = model:parameters()
    for i = 2, 3 do
      parameters[i].tensor:copy(tensor.zeros(parameters[i].tensor:shape()))
    end
    local words, wanted = {}, {}
    for i = 1, 24 do
      words[i] = 10000 + (i % 2 == 0 and 0.03125 or -0.03125)
      wanted[i] = i % 2 == 0 and 1 or -1
    end
    parameters[1].tensor:slice(1, 1, 1):detach()
      :copy(tensor.from { words })
    parameters[1].tensor:slice(1, 2, 2):detach()
      :copy(tensor.full({ 1, 24 }, 3.3))
    local out = model:forward(batch({ 0, 1 })).values
    assert.is_true(largest(out:slice(1, 1, 1) - tensor.from { wanted })
      < 1e-5)
    assert.is_true(largest(out:slice(1, 2, 2)) < 1e-5)
  end)

  it("pools the first token, the mean, and through the pooler", function()
    local model, texts = tiny(), batch({ 1, 2, 3 }, { 4, 5 })
    local hidden = model:forward(texts)
    assert.are.same(hidden.values:slice(1, 4, 4):totable()[1],
      hidden:pool "first":totable()[2])
    local mean = hidden.values:slice(1, 4, 5):mean(1)
    assert.is_true(largest(hidden:pool "mean":slice(1, 2, 2) - mean) < 1e-6)
    assert.are.same({ 2, 8 }, hidden:pool "pooler":shape())
    assert.has_error(function() hidden:pool "max" end,
      "pool: expected first, mean or pooler, got max")
    for _, how in ipairs { "first", "mean", "pooler" } do
      assert.are.same(hidden:pool(how):totable(),
        model:pooled(texts, how):totable())
    end
  end)

  it("is the same for the same seed, and another for another", function()
    local b = batch({ 1, 2, 3 })
    local function output(seed)
      return tiny(seed):forward(b).values:totable()
    end
    assert.are.same(output(1), output(1))
    assert.are_not.same(output(1), output(2))
  end)
end)

describe("causal attention", function()
  local LONG = { max_position_embeddings = 200, is_decoder = true }

  local function ids(n)
    local list = {}
    for i = 1, n do list[i] = i * 7 % 30 end
    return list
  end

  it("gives a token the same bits whatever comes after it", function()
    local model = tiny(1, LONG)
    local all = model:forward(batch(ids(150))).values
    for _, n in ipairs { 1, 5, 63, 64, 65, 128, 149 } do
      local alone = model:forward(batch(ids(n))).values
      local off = largest(all:slice(1, 1, n) - alone)
      assert.is_true(off < 1e-5, n .. " are off by " .. off)
    end
    local same = ids(150)
    same[101] = same[101] + 1
    local other = model:forward(batch(same)).values
    assert.are.same(all:slice(1, 1, 100):totable(),
      other:slice(1, 1, 100):totable())
    assert.is_true(largest(all:slice(1, 102, 102)
      - other:slice(1, 102, 102)) > 0)
  end)

  it("drops in the backward what it dropped in the forward", function()
    local model = tiny(1, LONG):train()
    model.hidden_dropout, model.attention_dropout = 0.3, 0.3
    local texts, weight = batch(ids(70)), tensor.normal({ 70, 8 })
    local words = model:embed(texts):detach():requires_grad(true)
    local function loss(given)
      return (model:seed(5):forward(texts, { inputs_embeds = given }).values
        * weight):sum()
    end
    loss(words):backward()
    local direction = words:grad():detach()
    local slope = (direction * direction):sum():item()
    local step = direction * (1e-3 / slope ^ 0.5)
    local up = no_grad(loss, (words + step):detach()):item()
    local down = no_grad(loss, (words - step):detach()):item()
    local measured = (up - down) / (2e-3 / slope ^ 0.5)
    assert.is_true(math.abs(measured - slope) < 0.02 * slope,
      ("slope %g, measured %g"):format(slope, measured))
  end)
end)

describe("going back through the encoder", function()
  local changed = "backward: a tensor that 'encoder' kept was written in "
    .. "place after forward"

  it("is refused when a parameter was written since forward", function()
    local model = tiny()
    local loss = model:forward(batch({ 1, 2 })).values:sum()
    local weight = model:parameters()[3].tensor
    weight:copy(tensor.zeros(weight:shape()))
    assert.has_error(function() loss:backward() end, changed)
  end)

  it("is refused when a parameter was replaced since forward", function()
    local model = tiny()
    local loss = model:forward(batch({ 1, 2 })).values:sum()
    model.core:set(3, tensor.ones(model.core:parameter(3):shape()))
    assert.has_error(function() loss:backward() end, changed)
  end)

  it("is refused when the ids were written since forward", function()
    local b = batch({ 1, 2 })
    local loss = tiny():forward(b).values:sum()
    b.ids:copy(tensor.from({ 1000000, -1 }, "int32"))
    assert.has_error(function() loss:backward() end, changed)
  end)

  it("works for two graphs at once, and gathers their gradients", function()
    local model = tiny()
    local one = model:forward(batch({ 1, 2, 3 })).values:slice(2, 1, 4):sum()
    local two = model:forward(batch({ 1, 2, 3 })).values:slice(2, 1, 4):sum()
    local bias = model:parameters()[5].tensor
    one:backward()
    local first = bias:grad():clone()
    two:backward()
    assert.is_true(largest(bias:grad() - first * 2) < 1e-5)
  end)

  it("keeps the encoder alive as long as the graph", function()
    local loss = tiny():forward(batch({ 1, 2 })).values:sum()
    collectgarbage()
    collectgarbage()
    loss:backward()
    assert.are.equal(1, #loss:detach():reshape { 1 })
  end)
end)

describe("gradient checkpointing", function()
  it("changes no bit", function()
    for _, precision in ipairs { "fp32", "bf16" } do
      for _, name in ipairs { "whole", "causal" } do
        assert.are.same(bits(name, precision, false),
          bits(name, precision, true))
      end
    end
  end)

  it("keeps less", function()
    local model = tiny()
    local all = model.core:keeps(100)
    model:gradient_checkpointing()
    assert.is_true(model.core:keeps(100) < 0.7 * all)
  end)
end)

describe("the encoder in bfloat16", function()
  local function outputs(precision, name)
    local model, expected = load_fixture(name)
    model:set_precision(precision):train():seed(3)
    model.hidden_dropout, model.attention_dropout = 0.1, 0.1
    local hidden = model:forward(batch_of(expected)).values
    ;(hidden * expected.weight):sum():backward()
    local gradients = {}
    for _, p in ipairs(model:parameters()) do
      gradients[p.name] = p.tensor:grad()
    end
    return hidden, gradients
  end

  for _, fixture in ipairs { "odd", "causal" } do
    it("is close to float32, and not the same: " .. fixture, function()
      local exact, exact_gradients = outputs("fp32", fixture)
      local rounded, rounded_gradients = outputs("bf16", fixture)
      local off = largest(rounded - exact)
      assert.is_true(0 < off and off < 0.1 * largest(exact), "off by " .. off)
      local top = 0
      for _, g in pairs(exact_gradients) do top = math.max(top, largest(g)) end
      for name, g in pairs(exact_gradients) do
        local scale = math.max(largest(g), 0.1 * top)
        local error = largest(rounded_gradients[name] - g) / scale
        assert.is_true(error < 0.2, name .. " is off by " .. error)
      end
    end)
  end

  it("gives the same bits with 1, 2, 3 and 7 threads", function()
    same_with_any_threads(function() return bits("odd", "bf16", false) end)
  end)

  it("packs its weights again when they changed", function()
    local model = tiny():set_precision "bf16"
    local b = batch({ 1, 2, 3 })
    local before = no_grad(model.forward, model, b).values:totable()
    local weight = model:parameters()[12].tensor
    weight:copy((weight * 2):detach())
    assert.are_not.same(before,
      no_grad(model.forward, model, b).values:totable())
    weight:copy((weight * 0.5):detach())
    assert.are.same(before, no_grad(model.forward, model, b).values:totable())
  end)

  it("packs its weights again when they were replaced", function()
    for _, precision in ipairs { "fp32", "bf16" } do
      local model, expected = load_fixture "whole"
      model:set_precision(precision)
      local function output()
        return no_grad(model.forward, model, batch_of(expected)).values
      end
      local before = output():totable()
      for i, name in ipairs(model.names) do
        if name:find "output.dense.weight$" then
          model.core:set(i, tensor.zeros(model.core:parameter(i):shape()))
        end
      end
      assert.are_not.same(before, output():totable())
    end
  end)

  it("goes back in the precision in which it went forward", function()
    local model = tiny():set_precision "bf16"
    local loss = model:forward(batch({ 1, 2, 3 })).values:slice(2, 1, 3):sum()
    model:set_precision "fp32"
    loss:backward()
    assert.is_true(largest(model:parameters()[12].tensor:grad()) > 0)
    assert.has_error(function() model:set_precision "fp8" end,
      "precision: expected fp32 or bf16, got fp8")
  end)
end)

describe("a wrong batch", function()
  local model = tiny()

  -- the message alone, without a place in lunula's own files
  local function fails(b, message)
    local ok, why = pcall(model.forward, model, b)
    assert.is_false(ok)
    assert.are.equal(message, why)
  end

  it("is refused for an id or a type that the model lacks", function()
    fails(batch({ 1, 30 }), "token 1: id 30, the model has 0 to 29")
    fails(batch({ 1, -1 }), "token 1: id -1, the model has 0 to 29")
    local b = batch({ 1, 2 })
    b.types = tensor.from({ 0, 2 }, "int32")
    fails(b, "token 1: token type 2, the model has 0 to 1")
  end)

  it("is refused for sequences that are empty or too long", function()
    local long = {}
    for i = 1, 13 do long[i] = 1 end
    fails(batch({ 1 }, long), "sequence 2 has 13 tokens, expected 1 to 12")
    fails(batch({ 1 }, {}), "sequence 2 has 0 tokens, expected 1 to 12")
  end)

  it("is refused for offsets that do not fit the tokens", function()
    local b = batch({ 1, 2 })
    for _, wrong in ipairs { { 0, 3 }, { 1, 2 }, { 0 }, { 0, 5, 2 } } do
      b.offsets = tensor.from(wrong, "int32")
      assert.has_error(function() model:forward(b) end)
    end
  end)
end)
