local classifier = require "lunula.classifier"
local evaluate = require "lunula.evaluate"
local tiny = require "spec.support.tiny"
local train = require "lunula.train"

describe("Pairs of texts", function()
  local dir

  setup(function()
    dir = tiny.temporary()
    tiny.write_encoder(dir)
  end)

  teardown(function() tiny.remove(dir) end)

  -- Whether the second text says more than the first. Both have the same
  -- words in the pairs of each label, so that only which is which tells.
  local function pairs_of(n)
    local rows = {}
    local words = { "good", "lovely", "fine", "great", "bad", "dull" }
    for i = 1, n do
      local word = words[i % #words + 1]
      local more, less = "the film is " .. word, "the plot is " .. word
      rows[i] = i % 2 == 0 and { text = less, text_pair = more, label = "yes" }
        or { text = more, text_pair = less, label = "no" }
    end
    return rows
  end

  it("are learnt, where only which text is which tells the label",
    function()
      local model = classifier(dir, { labels = { "no", "yes" }, seed = 1,
        pooling = "mean" })
      local rows = pairs_of(60)
      train(model, rows, { epochs = 15, batch_size = 8, learning_rate = 0.01,
        dropout = 0 })
      assert.are.equal(1, evaluate(model, rows).accuracy)
      for i = 1, 4 do
        assert.are.equal(rows[i].label, model:predict(rows[i].text,
          { text_pairs = rows[i].text_pair }).label)
        assert.are_not.equal(rows[i].label, model:predict(rows[i].text_pair,
          { text_pairs = rows[i].text }).label)
      end
    end)

  it("teach the second text's token type, which single texts do not",
    function()
      local function moved(rows)
        local model = classifier(dir, { labels = { "no", "yes" }, seed = 1 })
        local function second_type()
          local name = "bert.embeddings.token_type_embeddings.weight"
          return model:weights()[name]:totable()[2]
        end
        local before = second_type()
        train(model, rows, { max_steps = 2, weight_decay = 0 })
        local after, most = second_type(), 0
        for i, x in ipairs(after) do
          most = math.max(most, math.abs(x - before[i]))
        end
        return most
      end
      local rows = pairs_of(20)
      assert.is_true(moved(rows) > 0)
      for _, row in ipairs(rows) do row.text_pair = nil end
      assert.are.equal(0, moved(rows))
    end)
end)
