local classifier = require "lunula.classifier"
local data = require "lunula.data"
local read = require("spec.support.file").read
local files = require("lunula.core").io
local lora = require "lunula.lora"
local lunula_train = require "lunula.train"
local project = require "spec.support.project"
local recipes = require "lunula.recipes"
local run = require "spec.support.run"
local tiny = require "spec.support.tiny"

local part = project.part

describe("The command", function()
  local folder, dir, model_dir, printed, code, said
  local path, write, read_json, train

  setup(function()
    folder = project.new()
    dir, path, write = folder.dir, folder.path, folder.write
    read_json, train = folder.read_json, folder.train
    model_dir = path "model"
    printed, code, said = train(model_dir, "--epochs=4",
      "--validation", path "validation.csv", "--test", path "test.csv",
      "--json", path "train.json")
  end)

  teardown(function() folder.remove() end)

  describe("train", function()
    it("prints results to standard output, progress to standard error",
      function()
        assert.are.equal(0, code, said)
        local _, epochs = printed:gsub("epoch %d/4  train loss %d%.%d+  "
          .. "validation loss %d%.%d+  accuracy [01]%.%d+  macro F1 ", "")
        assert.are.equal(4, epochs)
        assert.matches("\nconfusion", printed, 1, true)
        assert.matches("step 32/32  epoch 4  loss ", said, 1, true)
        assert.matches("\ntrain loss\n +%d%.%d+ |", said)
        assert.matches("\nvalidation accuracy\n", said, 1, true)
        local best = read_json("train.json").best_step
        assert.matches(("\n[^ ]+ best accuracy: [01]%%.%%d+ after step %d "
          .. "%%(epoch %d%%)\nsaved "):format(best, best / 8), said)
        assert.matches("saved " .. model_dir .. "\n$", said)
        assert.is_nil(said:find("[\r\27]"))
      end)

    it("writes what happened for other programs", function()
      local figures = read_json "train.json"
      assert.are.equal("training", figures.kind)
      assert.are.equal("accuracy", figures.metric)
      local validation = figures.validations[4]
      assert.are.same({ 32, 4 }, { validation.step, validation.epoch })
      assert.are.same(figures.history[4].validation, validation.scores)
      assert.are.equal(figures.best_step, 8 * figures.best_epoch)
      assert.are.equal(32, #figures.steps)
      assert.are.equal(32, figures.steps[32].step)
      assert.is_number(figures.steps[32].loss)
      assert.is_true(
        figures.history[1].train_loss > figures.history[4].train_loss)
      assert.is_number(figures.steps[1].learning_rate)
      assert.are.equal(4, #figures.history)
      assert.are.equal(4, figures.history[4].epoch)
      assert.is_number(figures.history[4].train_loss)
      for _, scores in ipairs { figures.history[4].validation,
        figures.test } do
        for _, name in ipairs { "accuracy", "macro_f1", "loss" } do
          assert.is_number(scores[name])
        end
      end
      assert.are.equal(30, figures.test.n)
      assert.is_true(figures.test.accuracy > 0.9)
      assert.is_true(figures.train_seconds > 0)
      assert.is_true(figures.tokens_per_second > 0)
      assert.is_true(figures.peak_rss_mib > 1)
      assert.are.same({ 0, 1, "fp32" },
        { figures.seed, figures.threads, figures.precision })
      assert.is_string(figures.version)
    end)

    it("draws finer where the locale says UTF-8", function()
      local words = { "train", "--model", path "encoder", "--train",
        path "train.csv", "--output", path "drawn", "--epochs=1" }
      for locale, finer in pairs { ["C.UTF-8"] = true, C = false } do
        local text, status, why = run.lunula(words, { "LC_ALL=" .. locale })
        assert.are.equal(0, status, why)
        assert.are.equal(finer, why:find "[\128-\255]" ~= nil)
        assert.matches("^epoch 1/1  train loss %d%.%d+\n$", text)
      end
    end)

    it("gives the same again for the same seed, and else not", function()
      local function losses(seed)
        local _, status, why = train(path("seed" .. seed), "--epochs=1",
          "--json", path "seed.json", "--seed", seed)
        assert.are.equal(0, status, why)
        return read_json("seed.json").steps
      end
      local first = losses("1")
      assert.are.same(first, losses("1"))
      assert.are_not.same(first, losses("2"))
    end)

    it("calibrates what it has trained, when it is told to", function()
      local output, rows = path "calibrated", tiny.reviews(90)
      local mixed = part(rows, 65, 90)
      for i = 1, #mixed, 6 do mixed[i].label = "negative" end
      for i = 2, #mixed, 6 do mixed[i].label = "negative" end
      write("mixed.csv", mixed)
      local text, status, why = train(output, "--epochs=4", "--calibrate",
        "--validation", path "mixed.csv", "--test", path "mixed.csv",
        "--json", path "calibrated.json")
      assert.are.equal(0, status, why)
      assert.matches("\ncalibrated: temperature %d+%.%d+  validation loss "
        .. "%d%.%d+ %-> %d%.%d+  ECE %d%.%d+ %-> %d%.%d+\n", text)
      local figures = read_json "calibrated.json"
      local done = figures.calibration
      assert.is_true(done.after.loss < done.before.loss)
      assert.is_near(done.after.loss, figures.test.loss, 1e-6)
      assert.is_near(done.after.ece, figures.test.ece, 1e-6)
      assert.is_near(done.temperature, classifier(output).temperature, 1e-12)
      assert.is_nil(read_json("train.json").calibration)
    end)

    it("calibrates no calibrated model when it goes on from its end",
      function()
        local output, found = path "calibrated-twice", {}
        for i = 1, 2 do
          local _, status, why = train(output, "--epochs=4", "--calibrate",
            "--validation", path "mixed.csv", "--resume")
          assert.are.equal(0, status, why)
          found[i] = { read(output .. "/config.json"),
            read(output .. "/model.safetensors") }
        end
        assert.is_true(math.abs(classifier(output).temperature - 1) > 0.01)
        assert.are.same(found[1], found[2])
      end)

    it("says why it has not calibrated, and keeps what it has trained",
      function()
        local text, status, why = train(path "certain", "--epochs=4",
          "--calibrate", "--validation", path "validation.csv",
          "--json", path "certain.json")
        assert.are.equal(0, status, why)
        assert.is_nil(text:find("calibrated", 1, true))
        assert.matches("\nnot calibrated by " .. path "validation.csv"
          .. ": all rows are answered right", why, 1, true)
        assert.matches("^all rows are answered right",
          read_json("certain.json").calibration.reason)
        assert.are.equal(1, classifier(path "certain").temperature)
      end)

    it("takes batches as it is told", function()
      local function steps(...)
        local _, status, why = run.lunula { "train",
          "--model", path "encoder", "--train", path "train.csv",
          "--output", path "batches", "--epochs=1", "--threads=1",
          "--json", path "batches.json", ... }
        assert.are.equal(0, status, why)
        -- there were none: still a list
        assert.matches('"validations": []', read(path "batches.json"), 1, true)
        return #read_json "batches.json".steps
      end
      assert.are.equal(2, steps())
      assert.are.equal(8, steps("--batch-size=8", "--group-by-length"))
      assert.are.equal(3, steps("--batch-size=8",
        "--gradient-accumulation-steps=3"))
      assert.are.equal(64, steps("--batch-tokens=7"))
    end)

    it("refuses what means nothing beside the rest", function()
      for _, case in ipairs {
        { "--lora-rank: only with --tune lora", "--lora-rank=4" },
        { "--lora-alpha: only with --tune lora", "--lora-alpha=4",
          "--tune=bias" },
        { "--adversarial-epsilon: only with --adversarial",
          "--adversarial-epsilon=1" },
        { "--averaging-start: only with --averaging", "--averaging-start=0" },
        { "--averaging-decay: only with --averaging ema",
          "--averaging-decay=0.9", "--averaging=uniform" },
        { "--distillation-temperature: only with --distillation-weight",
          "--distillation-temperature=3" },
        { "--distillation-weight: only with --teacher",
          "--distillation-weight=1" },
        { "--no-tune-thresholds: only where a text may have several labels",
          "--no-tune-thresholds" },
      } do
        local words = { "train", "--model", path "encoder", "--train",
          path "train.csv", "--output", path "none" }
        for i = 2, #case do words[#words + 1] = case[i] end
        local _, status, why = run.lunula(words)
        assert.are.equal(2, status, case[1])
        assert.matches("lunula: " .. case[1], why, 1, true)
        assert.is_nil(files.stat(path "none"))
      end
    end)

    it("takes each option of a training as Lua does", function()
      local _, status, why = train(path "options", "--max-steps=9",
        "--schedule=cosine", "--validate-every=4", "--metric=loss",
        "--patience=5", "--label-smoothing=0.1", "--class-weights=balanced",
        "--max-grad-norm=0.5", "--pooling=mean", "--seed=3",
        "--validation", path "validation.csv", "--json", path "options.json")
      assert.are.equal(0, status, why)
      local rows = data.read(path "train.csv")
      local model = classifier(path "encoder", { labels = { "negative",
        "positive" }, pooling = "mean", dropout = 0.1, seed = 3 })
      local result = lunula_train(model, rows, { max_steps = 9, batch_size = 8,
        learning_rate = 3e-3, schedule = "cosine", validate_every = 4,
        metric = "loss", patience = 5, label_smoothing = 0.1,
        class_weights = "balanced", max_grad_norm = 0.5, seed = 3,
        validation = data.read(path "validation.csv") })
      local figures = read_json "options.json"
      assert.are.same(result.steps, figures.steps)
      assert.are.equal(9, #figures.steps)
      assert.are.equal("mean", classifier(path "options").pooling)
    end)

    it("saves what LoRA has learnt beside the model", function()
      local _, status, why = train(path "low", "--epochs=1", "--tune=lora",
        "--lora-rank=2", "--lora-modules=query,key", "--adapter", path "rank2")
      assert.are.equal(0, status, why)
      local base = classifier(path "encoder",
        { labels = { "negative", "positive" } })
      lora.load(base, path "rank2")
      assert.are.equal(4, #base.adapter.parts)
      local whole = classifier(path "low")
      assert.are.same(whole:predict "the film is good.",
        base:predict "the film is good.")
      _, status, why = train(path "low", "--adapter", path "rank2")
      assert.are.equal(2, status)
      assert.matches("--adapter: there is one with --tune lora only", why, 1,
        true)
    end)

    it("begins with a recipe, and says what it takes of it", function()
      local function losses(...)
        local _, status, why = run.lunula { "train", "--threads=1",
          "--model", path "encoder", "--train", path "train.csv",
          "--output", path "recipe", "--json", path "recipe.json", ... }
        assert.are.equal(0, status, why)
        return read_json("recipe.json").steps, why
      end
      local by_name, told = losses("--recipe=few-shot", "--epochs=2")
      local recipe = recipes["few-shot"]
      assert.are.same(losses("--epochs=2", "--batch-size",
        ("%d"):format(recipe.batch_size), "--learning-rate",
        tostring(recipe.learning_rate)), by_name)
      local line = told:match "recipe few%-shot: ([^\n]+)\n"
      assert.matches("batch_size " .. recipe.batch_size, line, 1, true)
      assert.is_nil(line:find("epochs", 1, true))
    end)

    -- what it says when it is given these instead of what is right; nothing
    -- is printed, and no folder made
    local function refusal(words)
      local given = { model = path "encoder", train = path "train.csv",
        output = path "never" }
      local all = { "train" }
      for i = 1, #words do
        all[#all + 1] = words[i]
        given[words[i]:match("^%-%-(%w+)") or ""] = nil
      end
      for name, value in pairs(given) do
        all[#all + 1] = "--" .. name .. "=" .. value
      end
      local text, status, why = run.lunula(all)
      assert.are.equal(1, status, why)
      assert.are.equal("", text)
      assert.is_nil(files.stat(path "never"))
      return why:match("^lunula: ([^\n]+)\n$")
    end

    it("fails before it begins when something can't be", function()
      write("odd.csv", { { text = "good", label = "positive" },
        { text = "good", label = "odd" } })
      for reason, words in pairs {
        [path "none.csv" .. ": No such file or directory"] =
          { "--test", path "none.csv" },
        [path "train.csv" .. ":1: no column 'stars'; there are: text, label"] =
          { "--label=stars" },
        [path "odd.csv" .. ":3: label 'odd' is that of no training row"] =
          { "--validation", path "odd.csv" },
        ["--json: no folder '" .. path "none/" .. "'"] =
          { "--json", path "none/x.json" },
        ["--json: '" .. dir .. "' is no name of a file"] = { "--json", dir },
        ["--json: " .. path(("x"):rep(300)) .. ": File name too long"] =
          { "--json", path(("x"):rep(300)) },
        ["max_length of this model: expected an integer from 2 to 128, got "
          .. "9999"] = { "--max-length=9999" },
        ["--output: '" .. path "train.csv" .. "' is no folder"] =
          { "--output", path "train.csv" },
        ["--output: '' is no folder"] = { "--output", "" },
      } do
        assert.are.equal(reason, refusal(words))
      end
      assert.matches("no folder '" .. path "none" .. "'",
        refusal { "--model", path "none" }, 1, true)
    end)

    it("wants labels, two at least", function()
      write("one.csv", { { text = "good", label = "a" },
        { text = "fine", label = "a" } })
      assert.are.equal(path "one.csv" .. ": all 2 rows have the label 'a'; at "
        .. "least two labels are needed",
        refusal { "--train", path "one.csv" })
      files.write(path "texts.txt", { "good\nbad\n" })
      assert.are.equal(path "texts.txt" .. ":1: label: expected a string, got "
        .. "nil", refusal { "--train", path "texts.txt" })
    end)

    it("knows before it begins that a test label can't be right", function()
      write("odd.csv", { { text = "good", label = "odd" } })
      assert.are.equal(path "odd.csv" .. ":2: label 'odd' is that of no "
        .. "training row", refusal { "--test", path "odd.csv" })
    end)

    it("prints its report also when the figures can't be written", function()
      local text, status, why = train(path "full", "--epochs=1",
        "--test", path "test.csv", "--json=/dev/full")
      assert.are.equal(1, status)
      assert.matches("\nconfusion", text, 1, true)
      assert.matches("lunula: /dev/full: No space left on device\n$", why)
    end)

    it("leaves the model that was there when the disk is full", function()
      local output = path "kept"
      classifier(model_dir):save(output)
      local before = classifier(output):predict "good"
      local _, status, why = run.piped("", { "train", "--model", output,
        "--train", path "train.csv", "--output", output, "--epochs=1" },
        "trap '' XFSZ; ulimit -f 16; ")
      assert.are.equal(1, status)
      assert.matches("\nlunula: [^\n]*File too large\n$", why)
      assert.are.same(before, classifier(output):predict "good")
    end)

    it("says how many tokens --max-length has cut", function()
      local _, status, why = train(path "cut", "--epochs=1", "--max-length=5",
        "--json", path "cut.json")
      assert.are.equal(0, status, why)
      local cut = read_json("cut.json").truncated
      assert.is_true(cut > 64)
      assert.matches(("\n%d tokens were cut from %s by --max-length 5\n")
        :format(cut, path "train.csv"), why, 1, true)
      assert.is_nil(said:find("were cut", 1, true))
      assert.are.equal(0, read_json("train.json").truncated)
      assert.are.equal(5, classifier(path "cut").max_length)
    end)

    it("keeps the last checkpoint when Ctrl-C ends it", function()
      local output = path "stopped"
      local _, status, why = run.interrupted("test -e " .. output
        .. "/config.json", { "train", "--model", path "encoder",
          "--train", path "train.csv", "--output", output,
          "--epochs=100000", "--threads=1" })
      assert.are.equal(130, status, why)
      assert.matches("\nlunula: interrupted; the last checkpoint stays in "
        .. output .. ", %-%-resume goes on from it\n$", why)
      assert.are.same({ "negative", "positive" }, classifier(output).labels)
    end)

    it("does not take the model of an earlier run for its checkpoint",
      function()
        local output = path "before"
        classifier(model_dir):save(output)
        local two, many = tiny.reviews(2), {}
        for i = 1, 40000 do many[i] = two[i % 2 + 1] end
        write("many.csv", many)
        local _, status, why = run.interrupted("grep -q ^step "
          .. "/proc/$$/fd/2", { "train", "--model", path "encoder",
            "--train", path "many.csv", "--output", output,
            "--epochs=1", "--batch-size=1",
            "--threads=1" })
        assert.are.equal(130, status, why)
        assert.matches("\nlunula: interrupted before there was a "
          .. "checkpoint\n$", why)
      end)
  end)
end)
