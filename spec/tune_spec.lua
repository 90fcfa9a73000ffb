local classifier = require "lunula.classifier"
local core = require "lunula.core"
local tiny = require "spec.support.tiny"
local train = require "lunula.train"

describe("Where to train", function()
  local dir
  local rows = tiny.reviews(32)

  setup(function()
    dir = tiny.temporary()
    tiny.write_encoder(dir .. "/encoder", { num_hidden_layers = 3 })
  end)

  teardown(function() tiny.remove(dir) end)

  local function new_model(given)
    local options = { labels = { "negative", "positive" }, seed = 1 }
    for name, value in pairs(given or {}) do options[name] = value end
    return classifier(dir .. "/encoder", options)
  end

  local function fit(given, model)
    local options = { epochs = 1, batch_size = 8, learning_rate = 3e-3 }
    for name, value in pairs(given) do options[name] = value end
    return train(model, rows, options)
  end

  local function bits(model)
    local all = {}
    for _, p in ipairs(model:parameters()) do
      all[p.name:gsub("^bert%.", "")] = p.tensor:clone():detach()
    end
    return all
  end

  local function same(a, b)
    local x, y = a:reshape({ -1 }):totable(), b:reshape({ -1 }):totable()
    for i, value in ipairs(x) do
      if value ~= y[i] then return false end
    end
    return true
  end

  -- Whether exactly those parameters moved of which `learns` is true.
  local function assert_moved(before, model, learns)
    for name, now in pairs(bits(model)) do
      assert.are.equal(learns(name), not same(before[name], now), name)
    end
  end

  -- What moves is what `learns` says, and nothing stays marked afterwards.
  local function assert_learns(given, learns, model)
    model = model or new_model()
    local before = bits(model)
    fit(given, model)
    assert_moved(before, model, learns)
    for _, p in ipairs(model:parameters()) do
      assert.is_true(p.tensor:requires_grad(), p.name)
      assert.is_nil(p.tensor:grad())
    end
  end

  local function is_head(name) return name:find "^classifier%." ~= nil end

  local function layer_of(name)
    return tonumber(name:match "^encoder%.layer%.(%d+)%.")
  end

  -- a bias that softmax takes away again
  local function is_idle(name) return name:find "key%.bias$" ~= nil end

  describe("tune", function()
    it("lets all learn when it is all, to the same bits", function()
      local plain, told = new_model(), new_model()
      fit({}, plain)
      fit({ tune = "all" }, told)
      local a, b = bits(plain), bits(told)
      for name in pairs(a) do assert.is_true(same(a[name], b[name]), name) end
    end)

    it("lets biases and the head learn when it is bias, and a new pooler",
      function()
        assert_learns({ tune = "bias" }, function(name)
          return is_head(name) or name:find "bias$" ~= nil
        end)
        local model = new_model()
        model.encoder:init_pooler(1)
        assert_learns({ tune = "bias" }, function(name)
          return is_head(name) or name:find "bias$" ~= nil
            or name:find "^pooler" ~= nil
        end, model)
      end)

    it("lets adapters, LayerNorm and the head learn when it is adapters",
      function()
        assert_learns({ tune = "adapters" }, function(name)
          return is_head(name) or name:find "LayerNorm" ~= nil
            or name:find "%.adapter%." ~= nil
        end, new_model { adapter_size = 4 })
      end)

    it("lets the head alone learn when it is head", function()
      assert_learns({ tune = "head" }, is_head)
    end)

    -- what a frozen encoder without dropout gives, read anew each time
    for _, pooling in ipairs { "pooler", "mean" } do
      it("learns the head from vectors read once, pooled by " .. pooling,
        function()
          local once = new_model { pooling = pooling }
          local anew = new_model { pooling = pooling }
          anew.encoder.hidden_dropout = 0
          anew.encoder.attention_dropout = 0
          local given = { epochs = 3, validation = tiny.reviews(40),
            rdrop_alpha = 1 }
          given.tune = "head"
          local a = fit(given, once)
          given.tune, given.freeze = nil, { "^embeddings", "^encoder",
            "^pooler" }
          local b = fit(given, anew)
          for i, step in ipairs(a.steps) do
            assert.is_true(math.abs(step.loss - b.steps[i].loss) < 1e-6)
          end
          for i, entry in ipairs(a.history) do
            local loss = b.history[i].validation.loss
            assert.is_true(math.abs(entry.validation.loss - loss) < 1e-6)
          end
          assert.are.equal(a.best_epoch, b.best_epoch)
          assert.are.not_equal(a.steps[1].loss, a.steps[5].loss)
        end)
    end

    it("goes with what the head alone needs, and refuses the rest", function()
      assert_learns({ tune = "head", mixup_alpha = 0.4, averaging = "uniform",
        focal_gamma = 1 }, is_head)
      for name, value in pairs { adversarial = "fgm", word_dropout = 0.1,
        word_swap = 0.1, mixout = 0.1 } do
        assert.has_error(function()
          fit({ tune = "head", [name] = value }, new_model())
        end, "train: " .. name .. ': not with tune = "head": the encoder '
          .. "reads each row once")
      end
    end)

    it("reads nothing of the encoder but once when it is head", function()
      local model, texts = new_model(), 0
      local pooled = model.encoder.pooled
      function model.encoder:pooled(batch, ...)
        texts = texts + #batch.offsets - 1
        return pooled(self, batch, ...)
      end
      fit({ tune = "head", epochs = 4, validation = tiny.reviews(10) }, model)
      assert.are.equal(#rows + 10, texts)
    end)

    it("refuses adapters where the model has none", function()
      assert.has_error(function() fit({ tune = "adapters" }, new_model()) end,
        'train: tune = "adapters": the model has none; make it with '
          .. "adapter_size")
    end)

    it("refuses what it does not know", function()
      assert.has_error(function() fit({ tune = "tail" }, new_model()) end,
        "train: tune: expected one of adapters, all, bias, head, lora, got "
          .. "'tail'")
    end)
  end)

  describe("freeze", function()
    it("keeps what a pattern finds", function()
      assert_learns({ freeze = { "^embeddings", "layer%.0", "LayerNorm" } },
        function(name)
          return not (name:find "^embeddings" or layer_of(name) == 0
            or name:find "LayerNorm")
        end)
    end)

    it("keeps them beside what else moves weights", function()
      assert_learns({ freeze = { "^embeddings", "layer%.1" }, mixout = 0.3,
        adversarial = "smart", averaging = "ema", averaging_every = 1,
        averaging_start = 0, rdrop_alpha = 1 }, function(name)
          return not name:find "^embeddings" and layer_of(name) ~= 1
        end)
    end)

    it("raises when a pattern finds nothing, or is none", function()
      local function freeze(pattern)
        return function()
          fit({ freeze = { "^embeddings", pattern } }, new_model())
        end
      end
      assert.has_error(freeze "layer%.7", "train: freeze: 'layer%.7' finds no "
        .. "parameter; one is embeddings.word_embeddings.weight")
      assert.has_error(freeze "[", "train: freeze: '[': malformed pattern "
        .. "(missing ']')")
    end)

    it("raises when nothing is left", function()
      assert.has_error(function() fit({ freeze = { "" } }, new_model()) end,
        "train: freeze: nothing is left to learn")
    end)

    it("is over after an error", function()
      local model = new_model()
      assert.has_error(function()
        fit({ freeze = { "layer" }, on_step = function() error("no", 0) end },
          model)
      end, "no")
      for _, p in ipairs(model:parameters()) do
        assert.is_true(p.tensor:requires_grad(), p.name)
      end
    end)

    it("leaves alone what the user has frozen", function()
      local model = new_model()
      local head = model.head.weight:requires_grad(false)
      local before = bits(model)
      fit({ freeze = { "layer" } }, model)
      assert_moved(before, model, function(name)
        return not name:find "layer" and name ~= "classifier.weight"
      end)
      assert.is_false(head:requires_grad())
    end)
  end)

  describe("layer_decay", function()
    -- AdamW's first step is the learning rate, whatever the gradient: how far
    -- the largest step of each parameter went.
    local function steps_of(given)
      local model = new_model()
      local before = bits(model)
      given.max_steps, given.schedule = 1, "constant"
      given.warmup_ratio, given.weight_decay, given.dropout = 0, 0, 0
      fit(given, model)
      local far = {}
      for name, now in pairs(bits(model)) do
        local moved = (now - before[name]):reshape { -1 }
        far[name] = math.max(moved:max():item(), (-moved):max():item())
      end
      return far
    end

    it("slows each layer down by its depth", function()
      for name, far in pairs(steps_of { layer_decay = 0.5 }) do
        local depth = name:find "^embeddings" and 4 or 0
        if layer_of(name) then depth = 3 - layer_of(name) end
        local asked = 3e-3 * 0.5 ^ depth
        assert.is_true(is_idle(name) or math.abs(far / asked - 1) < 2e-2,
          ("%s: %g, not %g"):format(name, far, asked))
      end
    end)
  end)

  describe("gradual_unfreezing", function()
    it("thaws a layer each so many epochs, the embeddings last", function()
      local model = new_model()
      local before, seen = bits(model), {}
      fit({ epochs = 10, gradual_unfreezing = 2, on_epoch = function(entry)
        local now, deepest = bits(model), 0
        for name, was in pairs(before) do
          local depth = name:find "^embeddings" and 4 or 0
          if layer_of(name) then depth = 3 - layer_of(name) end
          if not same(was, now[name]) then
            deepest = math.max(deepest, depth)
          end
        end
        seen[entry.epoch] = deepest
      end }, model)
      assert.are.same({ 0, 0, 1, 1, 2, 2, 3, 3, 4, 4 }, seen)
      assert.is_true(model.encoder:parameters()[1].tensor:requires_grad())
    end)

    it("goes with what learns", function()
      assert_learns({ tune = "bias", gradual_unfreezing = 1, epochs = 2 },
        function(name)
          return is_head(name) or name == "pooler.dense.bias"
            or layer_of(name) == 2 and name:find "bias$" ~= nil
        end)
    end)

    it("is refused where there is nothing to thaw", function()
      assert.has_error(function()
        fit({ tune = "head", gradual_unfreezing = 1 }, new_model())
      end, 'train: gradual_unfreezing: with tune = "head" there are no layers '
        .. "to thaw")
    end)

    it("is refused where the head does not learn at first", function()
      assert.has_error(function()
        fit({ freeze = { "^classifier", "^pooler" }, gradual_unfreezing = 1 },
          new_model())
      end, "train: gradual_unfreezing: freeze leaves nothing of the head to "
        .. "begin with")
    end)
  end)

  describe("reinit_layers", function()
    it("starts the top layers and the pooler at random", function()
      local model = new_model()
      local before = bits(model)
      model.encoder:reinit(2, 5)
      assert_moved(before, model, function(name)
        return name == "pooler.dense.weight" or (layer_of(name) or 0) > 0
          and not name:find "bias$" and not name:find "LayerNorm"
      end)
    end)

    it("starts adapters anew too, where they are", function()
      local model = new_model { adapter_size = 4 }
      local name = "encoder.layer.%d.output.adapter.up.weight"
      for _, p in ipairs(model:parameters()) do
        p.tensor:copy(p.tensor + 1)
      end
      model.encoder:reinit(1, 5)
      local now = bits(model)
      assert.is_true(now[name:format(1)]:max():item() > 0.5)
      assert.is_true(now[name:format(2)]:max():item() < 0.1)
    end)

    it("follows the seed, as the training does", function()
      local a, b, c = new_model(), new_model(), new_model()
      b.encoder:reinit(1, 3)
      fit({ reinit_layers = 1, seed = 3, dropout = 0 }, a)
      fit({ seed = 3, dropout = 0 }, b)
      fit({ reinit_layers = 1, seed = 4, dropout = 0, shuffle = false }, c)
      local name = "encoder.layer.2.output.dense.weight"
      assert.is_true(same(bits(a)[name], bits(b)[name]))
      assert.is_false(same(bits(a)[name], bits(c)[name]))
    end)

    it("is refused where they can't learn, or are too many", function()
      assert.has_error(function()
        fit({ tune = "bias", reinit_layers = 1 }, new_model())
      end, "train: reinit_layers: layers that start at random must learn, "
        .. 'which tune = "bias" does not let them')
      assert.has_error(function() fit({ reinit_layers = 4 }, new_model()) end,
        "reinit: layers: expected an integer from 0 to 3, got 4")
    end)
  end)

  it("is the same on one thread and on two", function()
    local all, threads = {}, core.threads()
    for n = 1, 2 do
      core.threads(n)
      local model = new_model()
      fit({ layer_decay = 0.8, freeze = { "layer%.1" } }, model)
      all[n] = bits(model)
    end
    core.threads(threads)
    for name, one in pairs(all[1]) do
      assert.is_true(same(one, all[2][name]), name)
    end
  end)
end)
