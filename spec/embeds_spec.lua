local encoder = require "lunula.encoder"
local gradient = require "spec.support.gradient"
local no_grad = require "lunula.grad".no_grad
local optim = require "lunula.optim"
local reference = require "spec.support.reference"
local tensor = require "lunula.tensor"

local TABLE = "embeddings.word_embeddings.weight"

local load_fixture, batch_of = reference.load, reference.batch
local largest = reference.largest

local function freeze(model)
  for _, p in ipairs(model:parameters()) do p.tensor:requires_grad(false) end
end

-- output and gradients of a step with dropout; of the words that were given
-- by the name of `words`
local function step(model, expected, given)
  model:train():seed(3)
  model.hidden_dropout, model.attention_dropout = 0.1, 0.1
  local hidden = model:forward(batch_of(expected), given).values
  ;(hidden * expected.weight):sum():backward()
  local all = { hidden:totable() }
  for _, p in ipairs(model:parameters()) do
    local grad = p.tensor:grad()
    all[p.name] = grad and grad:totable()
  end
  return all
end

local function words_of(expected)
  return expected.inputs_embeds:clone():requires_grad(true)
end

describe("The encoder, given word vectors in place of ids,", function()
  for _, name in ipairs { "odd", "tanh", "relu", "whole", "causal" } do
    it("gives what transformers gives, and its gradient (" .. name .. ")",
    function()
      local model, expected = load_fixture(name)
      local words = words_of(expected)
      local hidden = model:forward(batch_of(expected),
        { inputs_embeds = words }).values
      assert.is_true(largest(hidden - expected["embedded.output"]) < 1e-5)
      ;(hidden * expected.weight):sum():backward()
      local wanted = expected["embedded.grad"]
      local off = largest(words:grad() - wanted) / largest(wanted)
      assert.is_true(off < 1e-4, "off by " .. off)
      assert.is_nil(model:parameters()[1].tensor:grad())
      assert.is_not_nil(model:parameters()[2].tensor:grad())
    end)
  end

  it("gives the words the slope of the output, whatever their layout",
  function()
    local model = encoder.new { hidden_size = 8, num_hidden_layers = 2,
      num_attention_heads = 2, intermediate_size = 16, vocab_size = 30,
      initializer_range = 0.3 }
    freeze(model)
    local batch = { types = tensor.from({ 0, 0, 1 }, "int32"),
      offsets = tensor.from({ 0, 1, 3 }, "int32") }
    assert(gradient.check(function(words)
      return model:forward(batch, { inputs_embeds = words }).values
    end, { tensor.normal({ 3, 8 }, { std = 2, seed = 4 }) }))
  end)

  it("needs no ids, and reads none", function()
    local model, expected = load_fixture "odd"
    local given = { inputs_embeds = expected.inputs_embeds }
    local batch = batch_of(expected)
    local wanted = model:forward(batch, given).values:totable()
    batch.ids = nil
    assert.are.same(wanted, model:forward(batch, given).values:totable())
    for _, how in ipairs { "first", "mean", "pooler" } do
      assert.are.same(model:forward(batch, given):pool(how):totable(),
        model:pooled(batch, how, given):totable())
    end
  end)

  it("gives them the same gradient when nothing else learns", function()
    local model, expected = load_fixture "whole"
    local some, all = words_of(expected), words_of(expected)
    step(model, expected, { inputs_embeds = all })
    freeze(model)
    for _, p in ipairs(model:parameters()) do p.tensor:zero_grad() end
    local found = step(model, expected, { inputs_embeds = some })
    assert.are.same(all:grad():totable(), some:grad():totable())
    found[1] = nil
    assert.is_nil((next(found)))
  end)

  it("records nothing when only the table would learn", function()
    local model, expected = load_fixture "odd"
    freeze(model)
    model:parameters()[1].tensor:requires_grad(true)
    local batch = batch_of(expected)
    local given = { inputs_embeds = expected.inputs_embeds }
    assert.is_false(model:forward(batch, given).values:requires_grad())
    assert.is_true(model:forward(batch).values:requires_grad())
    given.inputs_embeds = words_of(expected)
    assert.is_true(model:forward(batch, given).values:requires_grad())
    assert.is_false(no_grad(model.forward, model, batch, given).values
      :requires_grad())
  end)

  it("changes no bit by gradient checkpointing", function()
    for _, precision in ipairs { "fp32", "bf16" } do
      local found = {}
      for _, checkpointing in ipairs { false, true } do
        local model, expected = load_fixture "whole"
        model:set_precision(precision):gradient_checkpointing(checkpointing)
        local words = words_of(expected)
        local all = step(model, expected, { inputs_embeds = words })
        all.words = words:grad():totable()
        found[#found + 1] = all
      end
      assert.are.same(found[1], found[2])
    end
  end)

  it("is close in bfloat16 to what it is in float32, and not the same",
  function()
    local found = {}
    for _, precision in ipairs { "fp32", "bf16" } do
      local model, expected = load_fixture "odd"
      model:set_precision(precision)
      local words = words_of(expected)
      step(model, expected, { inputs_embeds = words })
      found[precision] = words:grad()
    end
    local off = largest(found.bf16 - found.fp32) / largest(found.fp32)
    assert.is_true(0 < off and off < 0.1, "off by " .. off)
  end)

  it("keeps none of them, so that they may change before the backward",
  function()
    local model, expected = load_fixture "odd"
    local words = words_of(expected)
    local hidden = model:forward(batch_of(expected),
      { inputs_embeds = words }).values
    words:copy(tensor.zeros(words:shape()))
    ;(hidden * expected.weight):sum():backward()
    local wanted = expected["embedded.grad"]
    assert.is_true(largest(words:grad() - wanted) < 1e-4 * largest(wanted))
  end)

  it("says what is wrong with them", function()
    local model, expected = load_fixture "odd"
    local batch = batch_of(expected)
    local function refuses(message, given)
      local ok, why = pcall(model.forward, model, batch, given)
      assert.is_false(ok)
      assert.are.equal(message, why)
    end
    refuses("inputs_embeds: expected float32 [51, 20], got float32 [51, 21]",
      { inputs_embeds = tensor.zeros { 51, 21 } })
    refuses("inputs_embeds: expected float32 [51, 20], got int32 [51, 20]",
      { inputs_embeds = tensor.zeros({ 51, 20 }, "int32") })
    refuses("forward: inputs_embeds: expected a tensor, got 3",
      { inputs_embeds = 3 })
    refuses("forward: unknown option 'embeds'; known: inputs_embeds",
      { embeds = 3 })
    refuses("forward: expected a table of options, got string", "words")
    batch.ids = nil
    refuses("forward: batch.ids: expected a tensor, got nil")
  end)
end)

describe("The word vectors of a batch", function()
  it("are the rows of the table, and lead to the same bits as the ids",
  function()
    for _, precision in ipairs { "fp32", "bf16" } do
      local plain, expected = load_fixture "whole"
      local embedded = load_fixture "whole"
      plain:set_precision(precision)
      embedded:set_precision(precision)
      local words = embedded:embed(batch_of(expected))
      assert.are.same(plain:parameters()[1].tensor
        :embedding(expected.ids):totable(), words:totable())
      local wanted = step(plain, expected)
      assert.are.same(wanted,
        step(embedded, expected, { inputs_embeds = words }))
      assert.is_not_nil(wanted[TABLE])
    end
  end)

  it("add to a gradient that is there", function()
    local model, expected = load_fixture "odd"
    local batch = batch_of(expected)
    local word = model:parameters()[1].tensor
    model:embed(batch):backward(expected.weight)
    local once = word:grad():clone()
    model:embed(batch):backward(expected.weight)
    assert.is_true(largest(word:grad() - once * 2) < 1e-5)
  end)

  it("give the padding token no gradient, as a forward does", function()
    local model = load_fixture "odd"
    assert.are.equal(0, model.config.pad_token_id)
    model:embed({ ids = tensor.from({ 0, 2, 0 }, "int32") })
      :backward(tensor.ones { 3, 20 })
    local found = model:parameters()[1].tensor:grad()
    assert.are.equal(0, largest(found:slice(1, 1, 1)))
    assert.are.equal(1, largest(found:slice(1, 3, 3)))
  end)

  it("are up to date after steps that the optimizer put off", function()
    local function ids(...)
      return { ids = tensor.from({ ... }, "int32") }
    end
    local found = {}
    for i = 1, 2 do
      local model = load_fixture "odd"
      local optimizer = optim.adamw({ model },
        { learning_rate = 0.1, weight_decay = 0.5 })
      for _, batch in ipairs { ids(1, 2), ids(3), ids(3) } do
        model:embed(batch):backward(tensor.ones { #batch.ids, 20 })
        optimizer:step()
        optimizer:zero_grad()
      end
      found[i] = i == 1 and model:embed(ids(1, 2)):totable()
        or model:parameters()[1].tensor:embedding(ids(1, 2).ids):totable()
    end
    assert.are.same(found[1], found[2])
  end)

  it("want no gradient where the table wants none", function()
    local model, expected = load_fixture "odd"
    freeze(model)
    assert.is_false(model:embed(batch_of(expected)):requires_grad())
  end)

  it("are of ids that the model has", function()
    local model = load_fixture "odd"
    for message, wrong in pairs {
      ["token 1: id 50, the model has 0 to 49"] = { 1, 50 },
      ["token 0: id -1, the model has 0 to 49"] = { -1 },
    } do
      local ok, why = pcall(model.embed, model,
        { ids = tensor.from(wrong, "int32") })
      assert.is_false(ok)
      assert.are.equal(message, why)
    end
    assert.has_error(function() model:embed {} end,
      "embed: batch.ids: expected a tensor, got nil")
  end)
end)
