local fits = require "spec.support.fits"
local mixout = require "lunula.train.mixout"
local no_grad = require "lunula.grad".no_grad
local tensor = require "lunula.tensor"

local fit = fits.fit

local P = 0.6
local MATRIX = "bert.encoder.layer.1.intermediate.dense.weight"

local function flat(t)
  return t:detach():reshape({ -1 }):totable()
end

-- A training whose weights have moved away from the pretrained ones.
local function moved()
  local model = fits.new_model()
  local run = { model = model, step = 7,
    options = { mixout = P, seed = 3 } }
  local made = mixout.new(run)
  made:first { options = run.options, step = 1 }
  made:gradients()
  local pretrained = fits.weights(model)
  for i, p in ipairs(model:parameters()) do
    p.tensor:copy(no_grad(p.tensor.add, p.tensor,
      tensor.normal(p.tensor:shape(), { std = 0.2, seed = 9, purpose = i })))
  end
  return made, run, pretrained
end

local function parameter(model, name)
  for _, p in ipairs(model:parameters()) do
    if p.name == name then return p.tensor end
  end
end

local function loss_of(model)
  local batch = model.tokenizer:encode { "the film is good.", "a dull plot" }
  return (model:forward(batch) * tensor.from { { 1, -2 }, { -1, 3 } }):sum()
end

describe("Mixout", function()
  it("has each weight pretrained, or scaled so that the mean stays",
  function()
    local made, run, pretrained = moved()
    local before = fits.weights(run.model)
    made:first(run)
    local missing, all = 0, 0
    for _, p in ipairs(run.model:parameters()) do
      if p.name == MATRIX then
        for i, row in ipairs(p.tensor:totable()) do
          for j, w in ipairs(row) do
            local u = pretrained[p.name][i][j]
            local own = (before[p.name][i][j] - P * u) / (1 - P)
            local is_missing = math.abs(w - (u - P * u) / (1 - P)) < 1e-5
            assert.is_true(is_missing or math.abs(w - own) < 1e-5)
            all, missing = all + 1, missing + (is_missing and 1 or 0)
          end
        end
      end
    end
    assert.is_near(P, missing / all, 0.06)
  end)

  it("mixes the layers' matrices alone", function()
    local made, run = moved()
    local before = fits.weights(run.model)
    made:first(run)
    local mixed = {}
    for name, values in pairs(fits.weights(run.model)) do
      local same = pcall(assert.are.same, before[name], values)
      if not same then mixed[#mixed + 1] = name end
    end
    assert.are.equal(2 * 6, #mixed)
    for _, name in ipairs(mixed) do
      assert.is_truthy(name:find "^bert.encoder.layer.*dense.weight$"
        or name:find "attention.self.%a+.weight$")
    end
  end)

  it("has the slope of the mixed loss by the weights that are moved",
  function()
    local made, run = moved()
    made:first(run)
    loss_of(run.model):backward()
    made:gradients()
    local tensor_of = parameter(run.model, MATRIX)
    local got, weights = flat(tensor_of:grad()), tensor_of:detach()
    local view, zeros = weights:reshape { -1 }, 0
    for at = 1, #got, 7 do
      local one, sides = view:slice(1, at, at), {}
      local was = one:item()
      for sign = -1, 1, 2 do
        one:copy(tensor.from { was + sign * 1e-2 })
        made:first(run)
        sides[sign] = no_grad(loss_of, run.model):item()
        made:abandon()
      end
      one:copy(tensor.from { was })
      local slope = (sides[1] - sides[-1]) / 2e-2
      assert.is_near(slope, got[at], 2e-3 + 0.02 * math.abs(slope))
      if got[at] == 0 then zeros = zeros + 1 end
    end
    assert.is_true(zeros > 0 and zeros < #got / 7)
  end)

  it("gives the moved weights back, bit by bit", function()
    for _, how in ipairs { "gradients", "abandon" } do
      local made, run = moved()
      local before = fits.weights(run.model)
      made:first(run)
      loss_of(run.model):backward()
      made[how](made)
      assert.are.same(before, fits.weights(run.model))
    end
  end)

  it("mixes anew each step, by seed and step", function()
    local function mixed_at(step, seed)
      local made, run = moved()
      run.step, run.options.seed = step, seed
      made:first(run)
      return parameter(run.model, MATRIX):totable()
    end
    assert.are.same(mixed_at(4, 1), mixed_at(4, 1))
    assert.are_not.same(mixed_at(4, 1), mixed_at(5, 1))
    assert.are_not.same(mixed_at(4, 1), mixed_at(4, 2))
  end)

  it("goes on from its state with the pretrained weights", function()
    local made, run = moved()
    local again = mixout.new(run)
    again:load_state(made:state())
    made:first(run)
    local wanted = fits.weights(run.model)
    made:gradients()
    again:first(run)
    assert.are.same(wanted, fits.weights(run.model))
  end)

  it("leaves alone what doesn't learn", function()
    local made, run = moved()
    local t = parameter(run.model, MATRIX):requires_grad(false)
    local before = t:totable()
    made:first(run)
    assert.are.same(before, t:totable())
  end)

  it("draws the weights back to the pretrained ones", function()
    local function distance(p)
      local _, model = fit { mixout = p, dropout = 0, epochs = 6 }
      local new, sum = fits.weights(fits.new_model()), 0
      for i, row in ipairs(parameter(model, MATRIX):totable()) do
        for j, w in ipairs(row) do
          sum = sum + (w - new[MATRIX][i][j]) ^ 2
        end
      end
      return math.sqrt(sum)
    end
    assert.is_true(distance(0.9) < distance(0))
  end)

  it("refuses what lets no pretrained matrix learn", function()
    for _, kind in ipairs { "lora", "bias", "adapters" } do
      assert.has_error(function()
        mixout.check { mixout = 0.5, tune = kind }
      end, ('train: mixout and tune = "%s": give one of them: it leaves the '
        .. "pretrained matrices as they are"):format(kind))
    end
  end)
end)
