--- Word embeddings: their gradient is in the rows of a batch, and AdamW puts
-- the steps of all other rows off until somebody reads them.

local core = require "lunula.core"
local encoder = require "lunula.encoder"
local no_grad = require "lunula.grad".no_grad
local optim = require "lunula.optim"
local safetensors = require "lunula.safetensors"
local schedule = require "lunula.schedule"
local tensor = require "lunula.tensor"

local unpack = table.unpack or unpack -- luacheck: ignore

local VOCAB, HIDDEN, UNSEEN = 60, 16, 50

local function new_model()
  return encoder.new({ hidden_size = HIDDEN, num_hidden_layers = 0,
    num_attention_heads = 2, intermediate_size = 16, vocab_size = VOCAB,
    max_position_embeddings = 12 }, { seed = 1 })
end

local function batch_of(ids)
  local types = {}
  for i = 1, #ids do types[i] = 0 end
  return { ids = tensor.from(ids, "int32"),
    types = tensor.from(types, "int32"),
    offsets = tensor.from({ 0, #ids }, "int32") }
end

-- ids 1 to 19 come often, those from 20 on once in hundreds of steps, and
-- those from UNSEEN on never
local function random_ids(rng)
  local ids = {}
  for i = 1, 6 do
    ids[i] = rng:float() < 0.98 and 1 + rng:below(19)
      or 20 + rng:below(UNSEEN - 20)
  end
  return ids
end

local function words(model)
  return model:parameters()[1].tensor
end

-- a module of the words alone, as an optimizer takes it
local function words_of(model)
  return { { parameters = { model:parameters()[1] } } }
end

local function loss_of(model, ids, step)
  local weight = tensor.normal({ #ids, HIDDEN }, { seed = step })
  return (model:forward(batch_of(ids)).values * weight):sum()
end

-- all numbers of a matrix
local function rows_of(t)
  local rows = {}
  for _, row in ipairs(t:totable()) do
    for _, x in ipairs(row) do rows[#rows + 1] = x end
  end
  return rows
end

local function largest(a, b)
  local most = 0
  for i = 1, math.max(#a, #b) do
    most = math.max(most, math.abs(a[i] - b[i]))
  end
  return most
end

-- of matrices; a step's decay is more than this, and dense AdamW's rounding in
-- a few steps less
local function near(a, b)
  return largest(rows_of(a), rows_of(b)) < 1e-7
end

local function equal(a, b)
  return largest(rows_of(a), rows_of(b)) == 0
end

-- do two models read ids alike?
local function alike(a, b, ids)
  return largest(rows_of(a:forward(batch_of(ids)).values),
    rows_of(b:forward(batch_of(ids)).values)) < 1e-4
end

-- AdamW as in the paper, every element in every step, in double
local function reference_of(values, o)
  local m, v, t = {}, {}, 0
  for i = 1, #values do m[i], v[i] = 0, 0 end
  return function(gradient, rate, scale)
    t = t + 1
    local m_fix, v_fix = 1 - o.betas[1] ^ t, 1 - o.betas[2] ^ t
    for i = 1, #values do
      local g = gradient[i] * scale
      m[i] = o.betas[1] * m[i] + (1 - o.betas[1]) * g
      v[i] = o.betas[2] * v[i] + (1 - o.betas[2]) * g * g
      local u = m[i] / m_fix / (math.sqrt(v[i] / v_fix) + 1e-8)
      values[i] = values[i] - rate * (u + o.weight_decay * values[i])
    end
  end
end

local OPTIONS = {
  learning_rate = 1e-3, weight_decay = 0.05, betas = { 0.9, 0.999 },
}

-- Trains with the gradient in rows, and beside it with a dense one. Calls
-- each_step(step, dense gradient, rate, norm) before the dense one's step.
local function train_both(steps, o, max_norm, each_step)
  local rows, dense = new_model(), new_model()
  local lazy, plain = optim.adamw(words_of(rows), o),
    optim.adamw(words_of(dense), o)
  local factor = schedule.linear(steps, { warmup_ratio = 0.1 })
  local rng = core.rng(7, 1)
  for step = 1, steps do
    local ids, rate = random_ids(rng), o.learning_rate * factor(step - 1)
    loss_of(rows, ids, step):backward()
    loss_of(dense, ids, step):backward()
    lazy:set_learning_rate(rate)
    plain:set_learning_rate(rate)
    local gradient = words(dense):grad()  -- dense from here on
    local norm = plain:clip(max_norm)
    assert.is_near(norm, lazy:clip(max_norm), 1e-4)
    if each_step then each_step(step, gradient, rate, norm) end
    lazy:step()
    plain:step()
  end
  return rows, dense, lazy, plain
end

describe("AdamW with a gradient in rows", function()
  it("is dense AdamW within 1e-6 after 2,000 steps", function()
    local values = rows_of(words(new_model()))
    local reference = reference_of(values, OPTIONS)
    local rows, dense = train_both(2000, OPTIONS, 1,
      function(_, gradient, rate, norm)
        reference(rows_of(gradient), rate, math.min(1, 1 / norm))
      end)
    local got = rows_of(words(rows))
    local off = largest(got, values)
    assert.is_true(off < 1e-6, "off by " .. off)
    off = largest(got, rows_of(words(dense)))
    assert.is_true(off < 1e-6, "off by " .. off)
    -- rows that never came have only decayed, but they have
    local first, unseen = rows_of(words(new_model())), VOCAB * HIDDEN
    assert.is_true(math.abs(got[unseen]) < 0.99 * math.abs(first[unseen]))
  end)

  it("has the bits of dense AdamW while moments still move a row", function()
    local function values(make_dense)
      local model = new_model()
      local optimizer = optim.adamw(words_of(model), OPTIONS)
      for step = 1, 150 do
        local ids = step == 1 and { 1, 2, 3, 4, 5, 6, 7 } or { 1, step % 5 }
        loss_of(model, ids, step):backward()
        if make_dense then words(model):grad() end
        optimizer:step()
      end
      return words(model):detach():slice(1, 2, 8)
    end
    assert.is_true(equal(values(true), values(false)))
  end)

  local function follows(o, steps, most)
    local rows, dense = train_both(steps, o, 1)
    local expected, top = rows_of(words(dense)), 1
    for _, x in ipairs(expected) do top = math.max(top, math.abs(x)) end
    local off = largest(rows_of(words(rows)), expected) / top
    assert.is_true(off <= most, "off by " .. off)
  end

  it("follows dense AdamW whatever the betas", function()
    for _, betas in ipairs { { 0, 0.999 }, { 0.99, 0.999 }, { 0.9, 0.5 },
        { 0, 0 }, { 0.9, 0 } } do
      follows({ learning_rate = 1e-3, weight_decay = 0.05, betas = betas },
        500, 1e-6)
    end
  end)

  it("follows dense AdamW without decay, and where a decay takes all",
  function()
    follows({ learning_rate = 1e-3, weight_decay = 0 }, 500, 1e-6)
    follows({ learning_rate = 0.5, weight_decay = 2 }, 400, 1e-5)
    follows({ learning_rate = 0.5, weight_decay = 3 }, 400, 1e-5)
  end)

  it("has the same bits with 1, 2, 3 and 7 threads", function()
    local before = core.threads()
    local function bits(threads)
      core.threads(threads)
      local norms = {}
      local rows = train_both(300, OPTIONS, 1, function(step, _, _, norm)
        norms[step] = norm
      end)
      return { norms, words(rows):totable() }
    end
    local one = bits(1)
    for _, threads in ipairs { 2, 3, 7 } do
      assert.are.same(one, bits(threads))
    end
    core.threads(before)
  end)

  it("keeps no moments of rows that never came", function()
    local model = encoder.new({ hidden_size = HIDDEN, num_hidden_layers = 0,
      num_attention_heads = 2, intermediate_size = 16, vocab_size = 5000 })
    local optimizer = optim.adamw(words_of(model))
    local function bytes_after(ids)
      loss_of(model, ids, 1):backward()
      optimizer:step()
      return optimizer:bytes()
    end
    local a_row = 2 * 4 * HIDDEN
    local bytes = bytes_after { 1, 4999, 1 }
    assert.is_true(bytes >= 2 * a_row and bytes <= 256 * a_row)
    assert.are.equal(bytes, bytes_after { 4999, 7 })
    words(model):totable()
    assert.are.equal(bytes, optimizer:bytes())
  end)
end)

-- A model whose words are behind, and a dense one where they are not.
local function behind()
  return train_both(30, OPTIONS, 1)
end

local function saved(t)
  local path = os.tmpname()
  safetensors.write(path, { words = t })
  local read = safetensors.read(path).tensors.words
  os.remove(path)
  return read
end

describe("Words that are behind", function()
  it("are up to date for every reader", function()
    local readers = {
      totable = function(t) return t end,
      clone = function(t) return no_grad(t.clone, t) end,
      detach = function(t) return t:detach() end,
      add = function(t) return no_grad(function() return t + 0 end) end,
      embedding = function(t)
        local ids = {}
        for i = 1, VOCAB do ids[i] = i - 1 end
        return no_grad(t.embedding, t, tensor.from(ids, "int32"))
      end,
      copy = function(t) return tensor.zeros { VOCAB, HIDDEN }:copy(t) end,
      lerp_to = function(t)
        return tensor.zeros { VOCAB, HIDDEN }:lerp_to(t, 1)
      end,
      ["what lerp_to writes"] = function(t)
        return t:lerp_to(tensor.zeros { VOCAB, HIDDEN }, 0)
      end,
      mixout = function(t)
        return no_grad(t.mixout, t, tensor.zeros { VOCAB, HIDDEN }, 0)
      end,
      save = saved,
    }
    for name, read in pairs(readers) do
      local rows, dense = behind()
      assert.is_true(near(words(dense), read(words(rows))), name)
    end
    local rows, dense = behind()
    assert.are.equal(tostring(words(dense)), tostring(words(rows)))
  end)

  it("are saved, again and again, with the bits that reading them gives",
  function()
    local rows, _, lazy = train_both(1050, OPTIONS, 1)
    for step = 1, 3 do
      local file = saved(words(rows))
      assert.is_true(equal(file, saved(words(rows))))
      if step == 3 then assert.is_true(equal(file, words(rows))) end
      loss_of(rows, { 1, 40, UNSEEN - step }, step):backward()
      lazy:step()
    end
  end)

  it("are saved as they are in a view that turns them", function()
    local square = encoder.new({ hidden_size = HIDDEN, num_hidden_layers = 0,
      num_attention_heads = 2, intermediate_size = 16, vocab_size = HIDDEN,
      max_position_embeddings = 12 }, { seed = 1 })
    local view = words(square):detach():transpose(1, 2)
    local optimizer = optim.adamw(words_of(square), OPTIONS)
    for step = 1, 3 do
      loss_of(square, { 1, 2, 4 }, step):backward()
      optimizer:step()
    end
    local file = saved(view)
    assert.is_true(equal(file, words(square):detach():transpose(1, 2)))
  end)

  it("are up to date in a view that was made before", function()
    local rows = new_model()
    local view = words(rows):detach():slice(1, 1, 30)
    local optimizer = optim.adamw(words_of(rows), OPTIONS)
    for step = 1, 3 do
      loss_of(rows, { 1, 40, 2 }, step):backward()
      optimizer:step()
    end
    local seen = rows_of(view)
    assert.is_true(largest(seen,
      rows_of(words(rows):detach():slice(1, 1, 30))) == 0)
    assert.is_false(near(view, words(new_model()):slice(1, 1, 30)))
  end)

  it("are up to date in a forward, of any ids", function()
    local rows, dense = behind()
    for _, ids in ipairs { { 59 }, { 3, 3, 30, 59, 3 }, { 1, 2 } } do
      assert.is_true(alike(dense, rows, ids))
    end
  end)

  it("may be read between forward and backward", function()
    local rows = behind()
    local loss = loss_of(rows, { 1, 30 }, 1)
    words(rows):totable()
    loss:backward()
    assert.is_not_nil(words(rows):grad())
  end)

  it("are up to date once the optimizer is gone", function()
    local rows, dense = behind()
    collectgarbage()
    collectgarbage()
    assert.is_true(near(words(dense), words(rows)))
  end)

  it("outlive their model in the optimizer", function()
    local lazy = select(3, behind())
    collectgarbage()
    collectgarbage()
    lazy:step()
    assert.is_true(lazy:bytes() > 0)
  end)

  it("are up to date in another encoder that has the same table", function()
    local rows, dense, lazy = behind()
    local other = new_model()
    other.core:set(1, words(rows))
    loss_of(rows, { 1, 30 }, 31):backward()
    loss_of(dense, { 1, 30 }, 31):backward()
    lazy:step()
    assert.is_false(alike(dense, other, { 59, 30, 1 }))
    assert.is_true(alike(rows, other, { 59, 30, 1 }))
  end)

  it("stay what was written over them", function()
    local rows = behind()
    words(rows):copy(tensor.ones { VOCAB, HIDDEN })
    for _, x in ipairs(rows_of(words(rows))) do assert.are.equal(1, x) end
  end)

  it("stop where they are when they are frozen", function()
    local rows, _, lazy = behind()
    words(rows):requires_grad(false):zero_grad()
    local before = rows_of(words(rows))
    loss_of(rows, { 1, 2 }, 1)
    lazy:step()
    assert.are.equal(0, largest(before, rows_of(words(rows))))
  end)
end)

describe("Two optimizers", function()
  it("move one table as two dense ones do, in turn", function()
    local function values(make_dense)
      local model = new_model()
      local first, second = optim.adamw(words_of(model), OPTIONS),
        optim.adamw(words_of(model), { learning_rate = 1e-2 })
      for step = 1, 40 do
        local ids = { step % 7, 20 + step % 11, step % 3 }
        loss_of(model, ids, step):backward()
        if make_dense then words(model):grad() end
        ;(step % 5 < 3 and first or second):step()
      end
      return rows_of(words(model))
    end
    assert.is_true(largest(values(false), values(true)) < 1e-6)
  end)

  it("move two encoders' one table", function()
    local function values(make_dense)
      local one, two = new_model(), new_model()
      two.core:set(1, words(one))
      local all = optim.adamw({
        { parameters = { words(one), words(two) } } }, OPTIONS)
      for step = 1, 20 do
        loss_of(one, { 1, step }, step):backward()
        loss_of(two, { 2, 20 + step }, step):backward()
        if make_dense then
          words(one):grad()
          words(two):grad()
        end
        all:step()
      end
      assert.is_true(equal(words(one), words(two)))
      return rows_of(words(one))
    end
    assert.is_true(largest(values(false), values(true)) < 1e-5)
  end)
end)

describe("A gradient in rows", function()
  local function gradient_of(model, ...)
    for step, ids in ipairs { ... } do
      loss_of(model, ids, step):backward()
    end
    return rows_of(words(model):grad())
  end

  -- the same from backward passes that meet a dense gradient
  local function dense_gradient_of(model, ...)
    words(model):backward(tensor.zeros { VOCAB, HIDDEN })
    return gradient_of(model, ...)
  end

  it("gathers several batches, rows new and known", function()
    local batches = { { 5, 9, 5 }, { 1, 9, 59, 7, 6 }, { 9, 2, 2, 8 } }
    assert.are.same(dense_gradient_of(new_model(), unpack(batches)),
      gradient_of(new_model(), unpack(batches)))
  end)

  it("meets a dense one", function()
    local model, expected = new_model(), gradient_of(new_model(), { 3, 4 })
    loss_of(model, { 3, 4 }, 1):backward()
    words(model):sum():backward()
    for i, x in ipairs(rows_of(words(model):grad())) do
      assert.is_near(expected[i] + 1, x, 1e-6)
    end
  end)

  it("leaves out the padding token", function()
    for i, x in ipairs(gradient_of(new_model(), { 0, 0 })) do
      assert.are.equal(0, x, i)
    end
  end)

  it("is nil before the first backward and after zero_grad", function()
    local model = new_model()
    assert.is_nil(words(model):grad())
    loss_of(model, { 1 }, 1):backward()
    assert.is_nil(words(model):zero_grad():grad())
  end)

  it("is 0 after a step and after the optimizer's zero_grad", function()
    for _, method in ipairs { "step", "zero_grad" } do
      local model = new_model()
      local optimizer = optim.adamw(words_of(model))
      loss_of(model, { 1, 2 }, 1):backward()
      optimizer[method](optimizer)
      for _, x in ipairs(rows_of(words(model):grad())) do
        assert.are.equal(0, x)
      end
    end
  end)

  it("counts in the norm", function()
    local model, sum = new_model(), 0
    local optimizer = optim.adamw(words_of(model))
    loss_of(model, { 1, 2, 1, 40 }, 1):backward()
    local norm = optimizer:clip(1)
    for _, x in ipairs(rows_of(words(model):grad())) do sum = sum + x * x end
    assert.is_near(math.sqrt(sum), norm, 1e-5)
    assert.is_near(norm, optimizer:clip(1), 1e-9)
  end)

  it("may be looked at in some steps", function()
    local function values(look)
      local model = new_model()
      local optimizer = optim.adamw(words_of(model), OPTIONS)
      for step = 1, 60 do
        loss_of(model, { step % 9, 20 + step % 13 }, step):backward()
        if look(step) then words(model):grad() end
        optimizer:step()
        if step == 30 then words(model):zero_grad() end
      end
      return rows_of(words(model))
    end
    local never = values(function() return false end)
    for _, look in ipairs {
        function() return true end,
        function(step) return step > 10 end,
        function(step) return step == 1 end,
        function(step) return step % 7 == 0 end } do
      assert.is_true(largest(never, values(look)) < 1e-7)
    end
  end)
end)

describe("The state of a table", function()
  it("is that of dense AdamW", function()
    local _, _, lazy, plain = behind()
    local got, expected = lazy:state(), plain:state()
    for name, t in pairs(expected) do
      if #t:shape() == 2 then
        assert.is_true(near(t, got[name]))
      else
        assert.are.equal(t:item(), got[name]:item())
      end
    end
  end)

  it("goes on where it was left", function()
    local function learn(model, optimizer, first, last)
      for step = first, last do
        loss_of(model, { step % 9, 20 + step % 13 }, step):backward()
        optimizer:step()
      end
    end
    local model, resumed = new_model(), new_model()
    local optimizer = optim.adamw(words_of(model), OPTIONS)
    learn(model, optimizer, 1, 20)
    words(resumed):copy(words(model))
    local other = optim.adamw(words_of(resumed), OPTIONS)
    other:load_state(optimizer:state())
    learn(model, optimizer, 21, 50)
    learn(resumed, other, 21, 50)
    assert.is_true(near(words(model), words(resumed)))
    assert.are.equal(optimizer:bytes(), other:bytes())
  end)

  it("can be given back as it is", function()
    local rows, _, lazy = behind()
    local name = "exp_avg.1." .. rows.names[1]
    local before = lazy:state()[name]
    lazy:load_state(lazy:state())
    assert.is_true(equal(before, lazy:state()[name]))
  end)
end)
