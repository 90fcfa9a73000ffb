local adversarial = require "lunula.train.adversarial"
local core = require "lunula.core"
local fits = require "spec.support.fits"
local no_grad = require "lunula.grad".no_grad
local objective = require "lunula.train.objective"
local tensor = require "lunula.tensor"

local fit = fits.fit

local EPSILON = 0.2

-- A training of four rows that is about to read a batch, by hand.
local function run_of(kind, given)
  local model = fits.new_model()
  model:set_dropout(given and given.dropout or 0):seed(3):train(true)
  local run = {
    model = model, step = 1, techniques = {},
    options = { adversarial = kind, adversarial_epsilon = EPSILON,
      adversarial_weight = 0.5, seed = 2 },
    plan = { loss = { weight = { 1, 2 } }, targets = { 0, 1, 0, 1 } },
  }
  local texts = {}
  for i = 1, 4 do texts[i] = fits.rows[i].text end
  local item = { rows = { 1, 2, 3, 4 }, batch = model.tokenizer:encode(texts) }
  return run, item
end

local function made_of(run, item)
  local made = adversarial.new(run)
  if made.first then made:first(run) end
  made:batch(item)
  return made
end

local function gradients(model)
  local all = {}
  for _, p in ipairs(model:parameters()) do
    local g = p.tensor:grad()
    all[p.name] = g and g:reshape({ -1 }):totable()
    p.tensor:zero_grad()
  end
  return all
end

local function assert_alike(wanted, got, tolerance)
  for name, list in pairs(wanted) do
    for i, x in ipairs(list) do
      local off = math.abs(x - (got[name] and got[name][i] or 0))
      assert.is_true(off < tolerance, name .. " is off by " .. off)
    end
  end
end

local function embedded(run, item)
  return run.model.encoder:embed(item.batch)
end

-- The length of each text in a list of token vectors.
local function lengths(vectors, batch)
  local rows, offsets, list = vectors:totable(), batch.offsets:totable(), {}
  for i = 1, #offsets - 1 do
    local sum = 0
    for token = offsets[i] + 1, offsets[i + 1] do
      for _, x in ipairs(rows[token]) do sum = sum + x * x end
    end
    list[i] = math.sqrt(sum)
  end
  return list
end

local function assert_length(noise, run, item)
  local wanted = lengths(no_grad(embedded, run, item), item.batch)
  for i, length in ipairs(lengths(noise, item.batch)) do
    assert.is_near(EPSILON * wanted[i], length, 1e-4)
  end
end

describe("FGM", function()
  it("learns from the batch, and from it with the noise that hurts",
  function()
    local run, item = run_of "fgm"
    -- what is wanted, from ids and with noise made here
    objective.loss(run, item):backward()
    local wanted = gradients(run.model)
    local words = no_grad(embedded, run, item):requires_grad(true)
    objective.loss(run, item, { inputs_embeds = words }):backward()
    gradients(run.model)
    local rows, at = words:grad():totable(), 1
    local long = lengths(words:detach(), item.batch)
    local steep = lengths(words:grad(), item.batch)
    local offsets = item.batch.offsets:totable()
    for token, row in ipairs(rows) do
      if token > offsets[at + 1] then at = at + 1 end
      for i = 1, #row do row[i] = row[i] * EPSILON * long[at] / steep[at] end
    end
    local noisy = embedded(run, item) + tensor.from(rows)
    local loss = objective.loss(run, item, { inputs_embeds = noisy })
    loss:backward()
    local hurt = gradients(run.model)
    for name, list in pairs(wanted) do
      for i = 1, #list do list[i] = 0.25 * (list[i] + 0.5 * hurt[name][i]) end
    end
    -- what is got, of a quarter of a step
    local made = made_of(run, item)
    local plain = objective.loss(run, item) * 0.25
    plain:backward()
    made:learnt(item, 0.25)
    assert.is_true(loss:item() > 4 * plain:item() + 0.05)
    assert_alike(wanted, gradients(run.model), 1e-5)
  end)

  it("leaves words that don't learn alone", function()
    local run, item = run_of "fgm"
    local words = run.model:parameters()[1].tensor:requires_grad(false)
    local made = made_of(run, item)
    objective.loss(run, item):backward()
    made:learnt(item, 1)
    assert.is_nil(words:grad())
    assert.is_not_nil(run.model:parameters()[2].tensor:grad())
  end)
end)

describe("SMART", function()
  it("adds the divergence from the answers to noisy words", function()
    local run, item = run_of "smart"
    local made = made_of(run, item)
    local logits = objective.logits(run, item)
    local loss = made:loss(item, tensor.from(3), logits):item()
    assert_length(item.noise, run, item)
    local noisy = embedded(run, item) + item.noise
    local others = objective.logits(run, item, { inputs_embeds = noisy })
    local p, q = logits:softmax(2):totable(), others:softmax(2):totable()
    local sum, weights = 0, { 1, 2, 1, 2 }
    for i = 1, 4 do
      for c = 1, 2 do
        sum = sum + weights[i] / 6 * (p[i][c] - q[i][c])
          * (math.log(p[i][c]) - math.log(q[i][c]))
      end
    end
    assert.is_true(sum > 1e-3)
    assert.is_near(3 + 0.5 * sum, loss, 1e-5)
  end)

  it("finds noise that is far worse than chance", function()
    local run, item = run_of "smart"
    local made = made_of(run, item)
    local logits = objective.logits(run, item)
    local found = made:loss(item, tensor.from(0), logits):item()
    local length = lengths(item.noise, item.batch)
    for seed = 1, 10 do
      local rows, at = tensor.normal(item.noise:shape(), { seed = seed }), 1
      local now, offsets = lengths(rows, item.batch), item.batch.offsets
      rows, offsets = rows:totable(), offsets:totable()
      for token, row in ipairs(rows) do
        if token > offsets[at + 1] then at = at + 1 end
        for i = 1, #row do row[i] = row[i] * length[at] / now[at] end
      end
      local others = objective.logits(run, item,
        { inputs_embeds = embedded(run, item) + tensor.from(rows) })
      local chance = objective.mean(run,
        objective.divergence(logits, others), item.rows):item()
      assert.is_true(found > 1.5 * 0.5 * chance)
    end
  end)

  it("has the slope of its loss, and no trace of the ascent", function()
    local run, item = run_of "smart"
    local made = made_of(run, item)
    local logits = objective.logits(run, item)
    local loss = made:loss(item, objective.of_logits(run, logits, item.rows),
      logits)
    for _, p in ipairs(run.model:parameters()) do
      assert.is_nil(p.tensor:grad())
    end
    loss:backward()
    -- of the loss whose noise stays as it is
    local function loss_now()
      return no_grad(function()
        local plain = objective.logits(run, item)
        local others = objective.logits(run, item,
          { inputs_embeds = embedded(run, item) + item.noise })
        local apart = objective.mean(run,
          objective.divergence(plain, others), item.rows):item()
        return objective.of_logits(run, plain, item.rows):item() + 0.5 * apart
      end)
    end
    local got = gradients(run.model)
    local STEP = 1e-2
    for _, p in ipairs(run.model:parameters()) do
      local flat = p.tensor:detach():reshape { -1 }
      local at, most = 1, 0  -- where the gradient is largest
      for i, g in ipairs(got[p.name]) do
        if math.abs(g) > most then at, most = i, math.abs(g) end
      end
      local one, was = flat:slice(1, at, at), flat:slice(1, at, at):item()
      local sides = {}
      for sign = -1, 1, 2 do
        one:copy(tensor.from { was + sign * STEP })
        sides[sign] = loss_now()
      end
      one:copy(tensor.from { was })
      local slope = (sides[1] - sides[-1]) / (2 * STEP)
      assert.is_true(
        math.abs(slope - got[p.name][at]) < 2e-3 + 0.02 * math.abs(slope),
        ("%s: %g, not %g"):format(p.name, got[p.name][at], slope))
    end
  end)

  it("compares under the same masks", function()
    local run, item = run_of("smart", { dropout = 0.5 })
    run.options.adversarial_epsilon = 1e-6
    local made = made_of(run, item)
    local logits = objective.logits(run, item)
    assert.is_near(0, made:loss(item, tensor.from(0), logits):item(), 1e-6)
    local after = { run.model.encoder.forwards, run.model.dropout.position }
    assert.are.same({ item.masks[1] + 1, item.masks[2] + 4 * 16 }, after)
  end)
end)

describe("Adversarial noise", function()
  it("makes one step of several batches as of one", function()
    for kind, tolerance in pairs { fgm = 1e-4, smart = 2e-2 } do
      local o = { adversarial = kind, dropout = 0, class_weights =
        { positive = 3 } }
      local one = fit(o)
      o.batch_size, o.gradient_accumulation_steps = 2, 4
      for i, loss in ipairs((fit(o))) do
        assert.is_near(one[i], loss, tolerance)
      end
    end
  end)

  it("goes with R-Drop, whose rows come twice", function()
    for _, kind in ipairs { "fgm", "smart" } do
      local once = fit { adversarial = kind, dropout = 0 }
      local twice = fit { adversarial = kind, dropout = 0, rdrop_alpha = 1 }
      for i, loss in ipairs(twice) do
        assert.is_near(once[i], loss, kind == "fgm" and 1e-4 or 2e-2)
      end
    end
  end)

  it("is of the same bits with the same seed, on 1 and 2 threads", function()
    local threads = core.threads()
    for _, kind in ipairs { "fgm", "smart" } do
      local found = {}
      for _, n in ipairs { 1, 2 } do
        core.threads(n)
        found[n] = fit { adversarial = kind, seed = 3 }
      end
      assert.are.same(found[1], found[2])
    end
    core.threads(threads)
  end)
end)
