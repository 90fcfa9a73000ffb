local self_train = require "lunula.self_train"
local tiny = require "spec.support.tiny"

describe("Self-training", function()
  local dir, encoder_dir
  local all = tiny.reviews(120)
  local labelled, unlabelled, validation = {}, {}, {}
  for i, row in ipairs(all) do
    if i <= 16 then labelled[i] = row
    elseif i <= 80 then unlabelled[#unlabelled + 1] = row.text
    else validation[#validation + 1] = row end
  end
  local TRAIN = { epochs = 10, batch_size = 8, learning_rate = 1e-2, seed = 1 }

  setup(function()
    dir = tiny.temporary()
    encoder_dir = dir .. "/encoder"
    tiny.write_encoder(encoder_dir)
  end)

  teardown(function() tiny.remove(dir) end)

  local function fit(given)
    local o = { rounds = 1, threshold = 0.6, train = TRAIN,
      classifier = { seed = 1 }, validation = validation }
    for name, value in pairs(given or {}) do o[name] = value end
    return self_train(encoder_dir, labelled, unlabelled, o)
  end

  local function raised(...)
    local ok, why = pcall(self_train, encoder_dir, ...)
    assert.is_false(ok)
    return why
  end

  it("joins texts of which it is sure, and keeps the best round", function()
    local told = {}
    local model, history = fit { rounds = 2,
      on_round = function(entry) told[#told + 1] = entry end }
    assert.are.same(told, history)
    assert.are.equal(3, #history)
    assert.are.equal(0, history[1].pseudo)
    assert.is_true(history[2].pseudo > 0)
    assert.are.equal(history[2].pseudo,
      history[2].counts.negative + history[2].counts.positive)
    local best
    for _, entry in ipairs(history) do
      if entry.best then best = entry end
    end
    for _, entry in ipairs(history) do
      assert.is_true(entry.validation.accuracy <= best.validation.accuracy)
    end
    assert.are.equal(best.validation.accuracy,
      require "lunula.evaluate"(model, validation).accuracy)
  end)

  it("takes as many of each label as it may", function()
    local _, history = fit { threshold = 0, per_class = 5 }
    assert.are.same({ negative = 5, positive = 5 }, history[2].counts)
    _, history = fit { threshold = 0 }
    assert.are.equal(#unlabelled, history[2].pseudo)
  end)

  it("takes none where it is never sure", function()
    local _, history = fit { threshold = 1 }
    assert.are.equal(0, history[2].pseudo)
    assert.are.same(history[1].validation, history[2].validation)
    assert.is_false(history[2].best)
  end)

  it("returns the last round where nothing judges", function()
    local o = { rounds = 1, threshold = 0, train = TRAIN }
    local _, history = self_train(encoder_dir, labelled, unlabelled, o)
    assert.is_true(history[2].best)
    assert.is_nil(history[2].validation)
  end)

  it("says what is wrong", function()
    assert.are.equal("self_train: threshold: expected a number from 0 to 1, "
      .. "got 2", raised(labelled, unlabelled, { threshold = 2 }))
    assert.are.equal("self_train: unlabelled: expected a file or an array of "
      .. "texts", raised(labelled, {}))
    assert.are.equal("self_train: train: validation: give it beside train, "
      .. "not in it", raised(labelled, unlabelled,
      { train = { validation = validation } }))
    assert.are.equal("self_train: no rows", raised({}, unlabelled))
  end)
end)
