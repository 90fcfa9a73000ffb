local classifier = require "lunula.classifier"
local lunula = require "lunula"
local tiny = require "spec.support.tiny"

describe("A model that is shared", function()
  local dir, model, handle
  local texts = { "the film is good.", "the plot is dull, awful.", "" }
  local STRANGE = "la\0bel:\n\255 3:x"

  setup(function()
    dir = tiny.temporary()
    tiny.write_encoder(dir)
    model = classifier(dir, { labels = { "", STRANGE }, max_length = 17 })
    handle = lunula.share(model)
  end)

  teardown(function() tiny.remove(dir) end)

  local function collect()
    collectgarbage()
    collectgarbage()
  end

  it("predicts and submits as the classifier does", function()
    local opened = lunula.open(handle)
    assert.are.same(model:predict(texts), opened:predict(texts))
    assert.are.same(model:predict(texts[1]), opened:predict(texts[1]))
    assert.are.same(model:predict(texts), opened:submit(texts):result())
    assert.are.same({ "", STRANGE }, opened.labels)
    assert.are.equal(17, opened.max_length)
    assert.are.equal("shared classifier (2 labels; 17 tokens of a text)",
      tostring(opened))
  end)

  it("has one handle, and another when it has changed", function()
    local other = classifier(dir, { labels = { "a", "b" } })
    local first = lunula.share(other)
    assert.are.equal(first, lunula.share(other))
    assert.are_not.equal(first, handle)
    other:set_max_length(9)
    local second = lunula.share(other)
    assert.are_not.equal(first, second)
    assert.are.equal(9, lunula.open(second).max_length)
  end)

  it("is there as long as one holds it, and no longer", function()
    local other = classifier(dir, { labels = { "a", "b" } })
    local its = lunula.share(other)
    local expected = other:predict(texts)
    local opened = lunula.open(its)
    other = nil
    collect()
    assert.are.same(expected, lunula.open(its):predict(texts))
    local job = opened:submit(texts)
    opened = nil
    collect()
    assert.are.same(expected, job:result())
    assert.has_error(function() lunula.open(its) end, "open: nothing is "
      .. "shared as '" .. its .. "' in this process; the classifier that was "
      .. "shared must be kept until it is opened")
    assert.is_nil(other and opened)
  end)

  it("is found by no other string", function()
    for _, wrong in ipairs { "", handle .. "\0", handle:sub(1, -2), "\0",
        handle:rep(1000), "lunula-model-%s%n" } do
      assert.has_error(function() lunula.open(wrong) end)
    end
    assert.has_error(function() lunula.open(7) end,
      "open: handle: expected a string, got 7")
    assert.has_error(function() lunula.share {} end,
      "share: expected a classifier, as lunula.classifier makes it, "
      .. "got a table")
  end)

  it("is not what it was trained to after it was shared", function()
    local other = classifier(dir, { labels = { "negative", "positive" } })
    local opened = lunula.open(lunula.share(other))
    local before = opened:predict(texts)
    lunula.train(other, tiny.reviews(16), { epochs = 2, learning_rate = 1e-2 })
    assert.are.same(before, opened:predict(texts))
    local again = lunula.open(lunula.share(other))
    assert.are.same(other:predict(texts), again:predict(texts))
    assert.are_not.same(before, other:predict(texts))
  end)

  it("can't be trained, and says so", function()
    local opened = lunula.open(handle)
    local rows = tiny.reviews(4)
    local MESSAGE = "'infer': a model that another state shares can predict "
      .. "and submit; train, evaluate, explain and save it where it was made"
    assert.has_error(function() lunula.train(opened, rows) end, MESSAGE)
    assert.has_error(function() lunula.evaluate(opened, rows) end, MESSAGE)
    for _, method in ipairs { "save", "explain", "logits" } do
      local ok, why = pcall(function() return opened[method] end)
      assert.is_false(ok)
      assert.are.equal(MESSAGE:gsub("infer", method), why)
    end
  end)

  it("has a queue of its own for each that opened it", function()
    local one = lunula.open(handle, { queue_capacity = 1 })
    local many = {}
    for i = 1, 20000 do many[i] = texts[1] end
    local job = one:submit(many)
    assert.is_nil((one:submit "a film"))
    assert.is_not_nil(lunula.open(handle):submit "a film")
    job:cancel()
  end)
end)
