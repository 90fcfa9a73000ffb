local averaging = require "lunula.train.averaging"
local classifier = require "lunula.classifier"
local evaluate = require "lunula.evaluate"
local fits = require "spec.support.fits"
local tensor = require "lunula.tensor"
local tiny = require "spec.support.tiny"
local train = require "lunula.train"

local fit, weights = fits.fit, fits.weights

-- all numbers of all weights, in a list
local function flat(model)
  local all = {}
  for _, p in ipairs(model:parameters()) do
    for _, x in ipairs(p.tensor:detach():reshape({ -1 }):totable()) do
      all[#all + 1] = x
    end
  end
  return all
end

local function largest(a, b)
  local most = 0
  for i = 1, math.max(#a, #b) do
    most = math.max(most, math.abs(a[i] - b[i]))
  end
  return most
end

-- The weights after each step of a training that averages none.
local function path_of(given)
  local model, path = fits.new_model(), {}
  local options = { batch_size = 8, learning_rate = 3e-3,
    on_step = function() path[#path + 1] = flat(model) end }
  for name, value in pairs(given) do options[name] = value end
  train(model, fits.rows, options)
  return path
end

-- The average of some steps of a path, in double.
local function average_of(path, steps, weight)
  local average = {}
  for n, step in ipairs(steps) do
    local w = n == 1 and 1 or weight(n, step)
    for i, x in ipairs(path[step]) do
      average[i] = (average[i] or 0) + w * (x - (average[i] or 0))
    end
  end
  return average
end

describe("Averaging weights", function()
  it("ends with the moving average of every k-th step, and the last",
  function()
    local path = path_of { epochs = 3 }  -- 12 steps
    local steps, before = { 2, 5, 8, 11, 12 }, 2
    local wanted = average_of(path, steps, function(_, step)
      local decay = math.min(0.6, (1 + step - 2) / (10 + step - 2))
      local w = 1 - decay ^ (step - before)
      before = step
      return w
    end)
    local _, model = fit { epochs = 3, averaging = "ema",
      averaging_decay = 0.6, averaging_every = 3 }
    assert.is_true(largest(wanted, path[12]) > 1e-4)
    assert.is_true(largest(wanted, flat(model)) < 1e-6)
  end)

  it("ends with the mean of every k-th step of the last half, and the last",
  function()
    local path = path_of { epochs = 3 }
    local wanted = average_of(path, { 6, 8, 10, 12 },
      function(n) return 1 / n end)
    local _, model = fit { epochs = 3, averaging = "uniform",
      averaging_every = 2 }
    assert.is_true(largest(wanted, path[12]) > 1e-3)
    assert.is_true(largest(wanted, flat(model)) < 1e-6)
  end)

  it("is the last step's weights where it starts there", function()
    local _, plain = fit {}
    for _, kind in ipairs { "ema", "uniform" } do
      local _, model = fit { averaging = kind, averaging_start = 1 }
      assert.are.same(weights(plain), weights(model))
    end
  end)

  it("changes no bit of what is learnt on, however often it is judged",
  function()
    local plain = fit { epochs = 3 }
    for _, kind in ipairs { "ema", "uniform" } do
      local judged = fit { epochs = 3, averaging = kind, validate_every = 1,
        validation = fits.rows, averaging_every = 1 }
      assert.are.same(plain, judged)
    end
  end)

  it("is of what learns, and leaves all else alone", function()
    local before = weights(fits.new_model())
    local o = { epochs = 2, averaging = "uniform", averaging_every = 1,
      tune = "bias" }
    local _, model = fit(o)
    local after = weights(model)
    o.averaging = nil
    local plain = weights(select(2, fit(o)))
    for name, values in pairs(before) do
      local learns = name:find "bias$" or name:find "^classifier"
      if learns then
        assert.are_not.same(plain[name], after[name])
      else
        assert.are.same(values, after[name])
      end
    end
  end)

  it("is what is judged, and stays", function()
    local o = { epochs = 3, averaging = "ema", validation = fits.rows,
      averaging_every = 1, keep_best = false }
    local _, model, result = fit(o)
    local last = result.history[3].validation
    assert.is_near(last.loss, evaluate(model, fits.rows).loss, 1e-5)
    o.averaging = nil
    result = select(3, fit(o))
    assert.is_true(
      math.abs(result.history[3].validation.loss - last.loss) > 1e-3)
  end)

  it("comes back where it was best", function()
    local _, model, result = fit { epochs = 6, averaging = "ema",
      averaging_every = 1, learning_rate = 2e-2, validation = fits.rows,
      metric = "loss" }
    local best = result.history[result.best_epoch].validation
    assert.is_near(best.loss, evaluate(model, fits.rows).loss, 1e-5)
  end)

  it("is what is saved", function()
    local dir = tiny.temporary()
    for _, validation in ipairs { fits.rows, false } do
      local _, model = fit { epochs = 2, averaging = "uniform",
        averaging_every = 1, validation = validation or nil,
        keep_best = not validation, checkpoint = dir }
      assert.are.same(weights(model), weights(classifier(dir)))
      tiny.remove(dir)
    end
  end)

  it("leaves the model its own weights when it can't be saved", function()
    local model, file, last = fits.new_model(), os.tmpname(), nil
    assert.is_false(pcall(train, model, fits.rows, {
      batch_size = 8, averaging = "ema", averaging_every = 1,
      validation = fits.rows, checkpoint = file .. "/no-folder",
      on_step = function() last = weights(model) end,
    }))
    os.remove(file)
    assert.are.same(last, weights(model))
  end)

  it("goes on from its state", function()
    local function made_of(model)
      return averaging.new { learners = model:parameters(),
        plan = { steps = 3 }, options = {
        averaging = "uniform", averaging_every = 1, averaging_start = 0 } }
    end
    local model = fits.new_model()
    local made, again = made_of(model), made_of(model)
    again:load_state(made:state())
    made:stepped { step = 1 }
    again:load_state(made:state())
    for _, p in ipairs(model:parameters()) do
      p.tensor:copy(tensor.zeros(p.tensor:shape()))
    end
    for _, each in ipairs { made, again } do each:stepped { step = 2 } end
    assert.are.same(made.average[1]:totable(), again.average[1]:totable())
    made:finish()
    local half = fits.new_model():parameters()[1].tensor:totable()[3][4] / 2
    assert.is_near(half, model:parameters()[1].tensor:totable()[3][4], 1e-7)
  end)
end)
