local fits = require "spec.support.fits"
local rdrop = require "lunula.train.rdrop"
local techniques = require "lunula.train.techniques"
local tensor = require "lunula.tensor"

describe("Techniques of training", function()
  local fit = fits.fit

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

  describe("Focal loss", function()
    it("is learnt from in place of cross entropy", function()
      local o = { dropout = 0, epochs = 8, learning_rate = 1e-3 }
      local plain = fit(o)
      o.focal_gamma = 2
      local focal = fit(o)
      -- about (1 - 1/2)^2 of it, as long as nothing is known
      assert.is_true(focal[1] > 0.1 * plain[1] and focal[1] < 0.4 * plain[1])
      assert.is_true(focal[#focal] < 0.75 * focal[1])
    end)

    it("refuses smoothed labels", function()
      assert.error_matches(function()
        fit { focal_gamma = 2, label_smoothing = 0.1 }
      end, "^train: focal_gamma and label_smoothing: give one of them")
    end)
  end)

  describe("R-Drop", function()
    it("adds the two answers' divergence", function()
      local made = rdrop.new { options = { rdrop_alpha = 2 },
        plan = { loss = {} } }
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

    it("weighs rows as the loss does", function()
      local made = rdrop.new { options = { rdrop_alpha = 2 },
        plan = { loss = { weight = { 1, 3 } }, classes = { 0, 1 } } }
      local item = { rows = { 1, 2 } }
      made:rows(item)
      local logits = tensor.from { { 0, math.log(3) }, { 0, 0 }, { 0, 0 },
        { 0, 0 } }
      local loss = made:loss(item, tensor.from(0), logits):item()
      assert.is_near(2 / 4 * 0.25 * math.log(3) / (1 + 3), loss, 1e-6)
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
