local active = require "lunula.active"
local classifier = require "lunula.classifier"
local few_shot = require "lunula.few_shot"
local kcenter = require "lunula.active.kcenter"
local tensor = require "lunula.tensor"
local tiny = require "spec.support.tiny"

describe("The greedy k-center", function()
  local VECTORS = tensor.from { { 0, 0 }, { 1, 0 }, { 10, 0 }, { 10, 1 },
    { 0, 10 }, { 5, 5 } }

  it("takes the furthest from all that were taken before", function()
    assert.are.same({ 4, 5 },
      kcenter.choose(VECTORS, tensor.from { { 0, 0 }, { 10, 0 } }, 2))
  end)

  it("begins in the middle, and takes each once", function()
    assert.are.same({ 5, 0, 2, 4, 1, 3 }, kcenter.choose(VECTORS, nil, 6))
  end)

  it("heeds every centre, however many there are", function()
    local line, centres = {}, {}
    for i = 1, 300 do line[i] = { i, 0 } end
    for i = 1, 299 do centres[i] = { i < 150 and i or i + 1, 0 } end
    assert.are.same({ 149 },
      kcenter.choose(tensor.from(line), tensor.from(centres), 1))
  end)
end)

describe("What to label next", function()
  local dir, model, pool

  setup(function()
    dir = tiny.temporary()
    tiny.write_encoder(dir .. "/encoder")
    model = few_shot(dir .. "/encoder", tiny.reviews(16),
      { epochs = 40, learning_rate = 2e-3, seed = 1 })
    pool = tiny.reviews(40)
    for i, row in ipairs(pool) do row.text = row.text .. (","):rep(i) end
  end)

  teardown(function() tiny.remove(dir) end)

  -- what each row says by its probabilities, its number behind it
  local function by(score)
    local order = {}
    for i, row in ipairs(pool) do
      local list = {}
      for _, p in pairs(model:predict(row.text).scores) do
        list[#list + 1] = p
      end
      table.sort(list)
      order[i] = { score = score(list), row = i }
    end
    table.sort(order, function(a, b) return a.score < b.score end)
    local numbers = {}
    for i = 1, 5 do numbers[i] = order[i].row end
    return numbers
  end

  local function chosen(options)
    local rows, numbers = active.select(model, pool, options)
    for i, row in ipairs(rows) do
      assert.are.equal(pool[numbers[i]], row)
    end
    return numbers
  end

  it("is by margin where the two best labels are close", function()
    local expected = by(function(p) return p[2] - p[1] end)
    assert.are.same(expected, chosen { strategy = "margin", count = 5 })
    assert.are.same(expected, chosen { count = 5 })
  end)

  it("is by entropy where the probabilities are even", function()
    assert.are.same(by(function(p)
      return p[1] * math.log(p[1]) + p[2] * math.log(p[2])
    end), chosen { strategy = "entropy", count = 5 })
  end)

  it("is by coreset what is unlike all that is labelled", function()
    local labelled = {}
    for i = 1, 39 do labelled[i] = pool[i] end
    assert.are.same({ 40 },
      chosen { strategy = "coreset", count = 5, labelled = labelled })
    assert.are.equal(5, #chosen { strategy = "coreset", count = 5 })
  end)

  it("is at random by the seed", function()
    local function draw(seed)
      return chosen { strategy = "random", count = 5, seed = seed }
    end
    assert.are.same(draw(1), draw(1))
    assert.are_not.same(draw(1), draw(2))
  end)

  it("is never what is labelled, and no text twice", function()
    local rows = { pool[1], pool[2], pool[2], pool[3] }
    for _, strategy in ipairs(active.STRATEGIES) do
      local _, numbers = active.select(model, rows,
        { strategy = strategy, labelled = { { text = pool[1].text } } })
      table.sort(numbers)
      assert.are.same({ 2, 4 }, numbers)
    end
    assert.are.same({}, (active.select(model, { pool[1] },
      { labelled = { pool[1] } })))
  end)

  it("may be asked of any classifier", function()
    local other = classifier(dir .. "/encoder",
      { labels = { "a", "b", "c" }, pooling = "first" })
    for _, strategy in ipairs(active.STRATEGIES) do
      assert.are.equal(3,
        #active.select(other, pool, { strategy = strategy, count = 3 }))
    end
  end)

  it("says what is wrong with what it is given", function()
    for message, f in pairs {
      ["active: strategy: expected one of coreset, entropy, margin, random, "
        .. "got 'best'"] = function() chosen { strategy = "best" } end,
      ["active: count: expected an integer of at least 1, got 0"] =
        function() chosen { count = 0 } end,
      ["active: row 1: text: expected a string, got nil"] =
        function() active.select(model, { {} }) end,
    } do
      assert.has_error(f, message)
    end
  end)
end)
