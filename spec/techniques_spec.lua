local classifier = require "lunula.classifier"
local rdrop = require "lunula.train.rdrop"
local techniques = require "lunula.train.techniques"
local tensor = require "lunula.tensor"
local tiny = require "spec.support.tiny"
local train = require "lunula.train"

describe("Techniques of training", function()
  local dir
  local rows = tiny.reviews(32)

  setup(function()
    dir = tiny.temporary()
    tiny.write_encoder(dir .. "/encoder")
  end)

  teardown(function() tiny.remove(dir) end)

  local function fit(given)
    local model = classifier(dir .. "/encoder",
      { labels = { "negative", "positive" }, seed = 1 })
    local options = { epochs = 1, batch_size = 8, learning_rate = 3e-3 }
    for name, value in pairs(given) do options[name] = value end
    local result, losses = train(model, rows, options), {}
    for i, step in ipairs(result.steps) do losses[i] = step.loss end
    return losses, model
  end

  it("have a default that is off, or none", function()
    for _, option in ipairs(techniques.options()) do
      local default = option.default
      assert.is_true(default == nil or default == 0 or default == false
        or option.what:find "; of use with" ~= nil, option.name)
    end
  end)

  it("refuse what is out of range", function()
    assert.has_error(function() fit { rdrop_alpha = -1 } end,
      "train: rdrop_alpha: expected a number of at least 0, got -1")
  end)

  describe("R-Drop", function()
    it("adds the two answers' divergence", function()
      local made = rdrop.new { options = { rdrop_alpha = 2 } }
      local item = { rows = { 5, 7 } }
      made:rows(item)
      assert.are.same({ 5, 7, 5, 7 }, item.rows)
      -- softmax of (0, log 3): 1/4, 3/4; of (0, 0): 1/2, 1/2
      local logits = tensor.from { { 0, math.log(3) }, { 0, 0 }, { 0, 0 },
        { 0, 0 } }
      local loss = made:loss(item, tensor.from(1), logits):item()
      local divergence = 0.25 * math.log(3)  -- summed both ways, of one row
      assert.is_true(math.abs(loss - (1 + 2 / 4 * divergence / 2)) < 1e-6)
    end)

    it("changes nothing but the cost where no dropout is", function()
      local plain = fit { dropout = 0 }
      for i, loss in ipairs((fit { dropout = 0, rdrop_alpha = 5 })) do
        assert.is_true(math.abs(loss - plain[i]) < 1e-5)
      end
    end)

    it("lets masks agree", function()
      local apart = fit { dropout = 0.3, rdrop_alpha = 1e-9, epochs = 4 }
      local agreed = fit { dropout = 0.3, rdrop_alpha = 5, epochs = 4 }
      assert.is_true(agreed[1] > apart[1])
    end)
  end)
end)
