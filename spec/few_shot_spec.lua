local classifier = require "lunula.classifier"
local difference = require("spec.support.rows").difference
local embedder = require "lunula.embedder"
local evaluate = require "lunula.evaluate"
local few_shot = require "lunula.few_shot"
local file = require "spec.support.file"
local json = require "lunula.json"
local logistic = require "lunula.few_shot.logistic"
local lunula = require "lunula"
local pairs_of = require "lunula.few_shot.pairs"
local tensor = require "lunula.tensor"
local tiny = require "spec.support.tiny"

describe("The logistic regression", function()
  local fixture = json.values(file.read "spec/fixtures/logistic.json",
    "logistic.json")

  -- scikit-learn has one vector for two classes: what the second is ahead
  local function as_theirs(weight, bias)
    if #weight > 2 then return weight, bias end
    local ahead = {}
    for j, w in ipairs(weight[2]) do ahead[j] = w - weight[1][j] end
    return { ahead }, { bias[2] - bias[1] }
  end

  it("has the weights that scikit-learn finds", function()
    for _, case in ipairs(fixture.cases) do
      local n = #case.weight == 1 and 2 or #case.weight
      local weight, bias = logistic.fit(tensor.from(case.vectors),
        case.classes, n, case.l2)
      assert.are.same({ n, 5 }, weight:shape())
      assert.are.same({ n }, bias:shape())
      local w, b = as_theirs(weight:totable(), bias:totable())
      assert.is_true(difference(case.weight, w) < 2e-5)
      assert.is_true(difference({ case.bias }, { b }) < 2e-5)
    end
  end)

  it("ends where classes can be told apart with next to no penalty",
    function()
      local weight = logistic.fit(tensor.from { { -1 }, { 1 } }, { 0, 1 }, 2,
        1e-4)
      local rows = weight:totable()
      assert.is_true(rows[2][1] > 2)
      assert.is_true(math.abs(rows[1][1] + rows[2][1]) < 1e-4)
    end)

  -- some numbers that look like none in particular, and their classes
  local function some_examples(moved)
    local vectors, classes, state = {}, {}, 1
    for i = 1, 200 do
      vectors[i] = {}
      for j = 1, 16 do
        state = state * 16807 % 2147483647
        vectors[i][j] = state / 2147483647 - 0.5 + moved
      end
      local x, y, z = vectors[i][1], vectors[i][2], vectors[i][3]
      classes[i] = (x + y > 2 * moved and 1 or 0) + (z > moved + 0.2 and 1 or 0)
    end
    return tensor.from(vectors), classes
  end

  it("has the same weights wherever the vectors lie", function()
    local vectors, classes = some_examples(0)
    local here = logistic.fit(vectors, classes, 3, 0.1)
    local there = logistic.fit(vectors + 20, classes, 3, 0.1)
    assert.is_true(difference(here:totable(), there:totable()) < 5e-5)
  end)

  it("comes to the same from the weights of other rows", function()
    local vectors, classes = some_examples(20)
    local few = {}
    for i = 1, 50 do few[i] = classes[i] end
    local weight, bias = logistic.fit(vectors:slice(1, 1, 50), few, 3, 10)
    local start = { weight = weight, bias = bias }
    local w, b = logistic.fit(vectors, classes, 3, 0.1)
    local w2, b2 = logistic.fit(vectors, classes, 3, 0.1, { start = start })
    assert.is_true(difference(w:totable(), w2:totable()) < 5e-5)
    assert.is_true(difference({ b:totable() }, { b2:totable() }) < 2e-3)
    -- whose own gradient is where it is to end already
    w2 = logistic.fit(vectors, classes, 3, 0.1,
      { start = { weight = w, bias = b }, tolerance = 1e-2 })
    assert.is_true(difference(w:totable(), w2:totable()) < 1e-6)
  end)

  it("takes vectors that are all the same", function()
    local weight, bias = logistic.fit(tensor.zeros { 3, 2 }, { 0, 1, 1 }, 2, 1)
    assert.are.same({ { 0, 0 }, { 0, 0 } }, weight:totable())
    local b = bias:totable()
    assert.is_true(math.abs(b[2] - b[1] - math.log(2)) < 1e-5)
  end)
end)

describe("The batches of few_shot", function()
  local function classes_of(n, count)
    local classes = {}
    for i = 1, n do classes[i] = (i - 1) % count end
    return classes
  end

  it("have each row once, with one of its own class", function()
    local classes = classes_of(93, 10)  -- nine or ten of each
    local batches = pairs_of.batches(classes,
      { batch_size = 20, seed = 3, epoch = 2 })
    assert.are.equal(5, #batches)
    local seen = {}
    for _, rows in ipairs(batches) do
      assert.is_true(#rows <= 24)
      local count = {}
      for _, row in ipairs(rows) do
        assert.is_nil(seen[row])
        seen[row] = true
        count[classes[row]] = (count[classes[row]] or 0) + 1
      end
      for _, n in pairs(count) do assert.is_true(n > 1) end
    end
    for i = 1, 93 do assert.is_true(seen[i]) end
  end)

  it("are one where there is room for all", function()
    local batches = pairs_of.batches(classes_of(16, 2),
      { batch_size = 64, seed = 1, epoch = 1 })
    assert.are.equal(1, #batches)
    assert.are.equal(16, #batches[1])
  end)

  it("have an order that seed and epoch decide", function()
    local function order(seed, epoch)
      return pairs_of.batches(classes_of(40, 4),
        { batch_size = 8, seed = seed, epoch = epoch })
    end
    assert.are.same(order(1, 1), order(1, 1))
    assert.are_not.same(order(1, 1), order(1, 2))
    assert.are_not.same(order(1, 1), order(2, 1))
  end)
end)

describe("The contrastive loss of few_shot", function()
  local VECTORS = tensor.from { { 1, 0 }, { 0.6, 0.8 }, { 0, 1 }, { -1, 0 } }

  it("is that of its paper", function()
    local classes, cosines = { 0, 0, 1, 0 }, VECTORS:matmul(
      VECTORS:transpose(1, 2)):totable()
    local sum, anchors = 0, { 1, 2, 4 }
    for _, i in ipairs(anchors) do
      local all = 0
      for a = 1, 4 do
        if a ~= i then all = all + math.exp(cosines[i][a] / 0.5) end
      end
      for _, p in ipairs(anchors) do
        if p ~= i then
          sum = sum - math.log(math.exp(cosines[i][p] / 0.5) / all) / 2
        end
      end
    end
    assert.is_true(math.abs(sum / 3
      - pairs_of.loss(VECTORS, classes, 0.5):item()) < 1e-5)
  end)

  it("is 0 where there is no pair of one class", function()
    assert.are.equal(0, pairs_of.loss(VECTORS, { 0, 1, 2, 3 }, 0.1):item())
  end)
end)

describe("A classifier of few examples", function()
  local dir, examples, tests, model, result

  setup(function()
    dir = tiny.temporary()
    tiny.write_encoder(dir .. "/encoder")
    examples, tests = tiny.reviews(16), tiny.reviews(120)
    model, result = few_shot(dir .. "/encoder", examples,
      { epochs = 40, learning_rate = 2e-3, seed = 1 })
  end)

  teardown(function() tiny.remove(dir) end)

  local function accuracy(of) return evaluate(of, tests).accuracy end

  it("is better for what its encoder has learnt from pairs", function()
    local frozen = few_shot(dir .. "/encoder", examples, { epochs = 0 })
    assert.is_true(accuracy(model) > 0.9)
    assert.is_true(accuracy(model) > accuracy(frozen))
    assert.are.equal(40, #result.steps)
    assert.is_true(result.steps[40].loss < result.steps[1].loss)
    assert.is_true(result.train_seconds > 0)
  end)

  it("has an encoder that is left as it was where there are no epochs",
    function()
      local frozen = few_shot(dir .. "/encoder", examples, { epochs = 0 })
      local before = embedder(dir .. "/encoder").encoder:parameters()
      for i, p in ipairs(frozen.encoder:parameters()) do
        if not p.name:find "^pooler" then
          assert.are.same(before[i].tensor:totable(), p.tensor:totable())
        end
      end
    end)

  it("is like any other: it is saved, loaded, quantized and asked", function()
    model:save(dir .. "/saved")
    local loaded = classifier(dir .. "/saved")
    assert.are.equal("mean", loaded.pooling)
    assert.are.equal(accuracy(model), accuracy(loaded))
    lunula.quantize(loaded, dir .. "/small")
    assert.is_true(accuracy(classifier(dir .. "/small")) > 0.8)
    assert.are.equal(model:predict("the film is great.").label,
      assert(loaded:submit("the film is great.")):result().label)
  end)

  it("is the same, to the bit, for the same seed", function()
    local function weights(threads)
      local before = lunula.threads()
      lunula.threads(threads)
      local made = few_shot(dir .. "/encoder", examples,
        { epochs = 2, batch_size = 8, seed = 5 })
      lunula.threads(before)
      return made.head.weight:totable()
    end
    assert.are.same(weights(1), weights(2))
  end)

  it("says what it is doing, step by step", function()
    local told = {}
    few_shot(dir .. "/encoder", examples, { epochs = 2, batch_size = 8,
      on_step = function(entry, steps)
        told[#told + 1] = entry.step .. "/" .. steps
      end })
    assert.are.same({ "1/4", "2/4", "3/4", "4/4" }, told)
  end)

  it("takes any number of labels", function()
    local rows = tiny.reviews(18)
    for i, row in ipairs(rows) do
      if i % 3 == 0 then row.label = "mixed" end
    end
    local three = few_shot(dir .. "/encoder", rows, { epochs = 1 })
    assert.are.same({ "mixed", "negative", "positive" }, three.labels)
    assert.is_string(three:predict("the film is bad.").label)
  end)

  it("says what is wrong with what it is given", function()
    local one = { { text = "a", label = "x" }, { text = "b", label = "x" } }
    for message, f in pairs {
      ["few_shot: no rows"] = function() few_shot(dir .. "/encoder", {}) end,
      ["few_shot: all 2 rows have the label 'x'; at least two labels are "
        .. "needed"] = function() few_shot(dir .. "/encoder", one) end,
      ["few_shot: l2: expected a number above 0, got 0"] = function()
        few_shot(dir .. "/encoder", examples, { l2 = 0 })
      end,
      ["few_shot: epochs: expected an integer of at least 0, got -1"] =
        function() few_shot(dir .. "/encoder", examples, { epochs = -1 }) end,
    } do
      assert.has_error(f, message)
    end
  end)
end)
