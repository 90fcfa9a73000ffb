local cjson = require "cjson"
local classifier = require "lunula.classifier"
local data = require "lunula.data"
local read = require("spec.support.file").read
local files = require("lunula.core").io
local json = require "lunula.json"
local lora = require "lunula.lora"
local lunula_train = require "lunula.train"
local recipes = require "lunula.recipes"
local run = require "spec.support.run"
local tiny = require "spec.support.tiny"

local unpack = table.unpack or unpack  -- luacheck: ignore

describe("The commands", function()
  local dir, model_dir, printed, code, said

  local function path(name) return dir .. "/" .. name end

  local function write(name, rows)
    local lines = { "text,label" }
    for i, row in ipairs(rows) do
      lines[i + 1] = ('"%s",%s'):format(row.text, row.label)
    end
    files.write(path(name), { table.concat(lines, "\n"), "\n" })
  end

  local function read_json(name)
    local file = assert(io.open(path(name), "rb"))
    local value = cjson.decode(file:read("*a"))
    file:close()
    return value
  end

  local function train(output, ...)
    return run.lunula { "train", "--model", path "encoder",
      "--train", path "train.csv", "--output", output, "--batch-size=8",
      "--learning-rate=3e-3", "--threads=1", ... }
  end

  local function part(rows, from, to)
    local some = {}
    for i = from, to do some[#some + 1] = rows[i] end
    return some
  end

  setup(function()
    dir = tiny.temporary()
    model_dir = path "model"
    tiny.write_encoder(path "encoder")
    local rows = tiny.reviews(120)
    write("train.csv", part(rows, 1, 64))
    write("validation.csv", part(rows, 65, 90))
    write("test.csv", part(rows, 91, 120))
    printed, code, said = train(model_dir, "--epochs=4",
      "--validation", path "validation.csv", "--test", path "test.csv",
      "--json", path "train.json")
  end)

  teardown(function() tiny.remove(dir) end)

  describe("train", function()
    it("prints results to standard output, progress to standard error",
      function()
        assert.are.equal(0, code, said)
        local _, epochs = printed:gsub("epoch %d/4  train loss %d%.%d+  "
          .. "validation loss %d%.%d+  accuracy [01]%.%d+  macro F1 ", "")
        assert.are.equal(4, epochs)
        assert.matches("\nconfusion", printed, 1, true)
        assert.matches("step 32/32  epoch 4  loss ", said, 1, true)
        assert.matches("saved " .. model_dir .. "\n$", said)
        assert.is_nil(said:find("[\r\27]"))
      end)

    it("writes what happened for other programs", function()
      local figures = read_json "train.json"
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

  describe("evaluate", function()
    it("prints and writes how a model does", function()
      local text, status, why = run.lunula { "evaluate", model_dir,
        path "test.csv", "--json", path "test.json" }
      assert.are.equal(0, status, why)
      local figures, before = read_json "test.json", read_json "train.json"
      assert.are.same(before.test, figures)
      assert.is_truthy(printed:find(text, 1, true))
      assert.matches("\nECE  .*\nBrier score  .*\ncoverage  .*\naccuracy  "
        .. ".*\nleast score  ", text)
      assert.is_number(figures.ece)
      assert.is_number(figures.brier)
      assert.are.equal(1, figures.selective[1].coverage)
    end)

    it("judges by the arithmetic that it is told to", function()
      local losses = {}
      for i, precision in ipairs { "fp32", "bf16", "int8" } do
        local _, status, why = run.lunula { "evaluate", model_dir,
          path "test.csv", "--json", path "test.json", "--threads=1",
          "--precision", precision }
        assert.are.equal(0, status, why)
        losses[i] = read_json("test.json").loss
        assert.is_near(losses[1], losses[i], 0.05)
      end
      assert.is_true(losses[1] ~= losses[2] and losses[2] ~= losses[3])
    end)

    it("prints its report also when the figures can't be written", function()
      local text, status, why = run.lunula { "evaluate", model_dir,
        path "test.csv", "--json=/dev/full" }
      assert.are.equal(1, status)
      assert.matches("\nconfusion", text, 1, true)
      assert.are.equal("lunula: /dev/full: No space left on device\n", why)
    end)

    it("says before it begins that there is no place for the figures",
      function()
        local text, status, why = run.lunula { "evaluate", model_dir,
          path "test.csv", "--json", path "none/x.json" }
        assert.are.equal(1, status)
        assert.are.equal("", text)
        assert.are.equal("lunula: --json: no folder '" .. path "none/"
          .. "'\n", why)
      end)

    it("says that an encoder is no classifier", function()
      local _, status, why = run.lunula { "evaluate", path "encoder",
        path "test.csv" }
      assert.are.equal(1, status)
      assert.matches("an encoder, not a classifier; train one with lunula "
        .. "train", why, 1, true)
    end)

    it("says which label it does not know", function()
      write("odd.csv", { { text = "good", label = "odd" } })
      local text, status, why = run.lunula { "evaluate", model_dir,
        path "odd.csv" }
      assert.are.equal(1, status)
      assert.are.equal("", text)
      assert.are.equal("lunula: " .. path "odd.csv" .. ":2: label 'odd' is "
        .. "none of the 2 known: negative, positive\n", why)
    end)
  end)

  local function decoded(text)
    local values = {}
    for line in text:gmatch("[^\n]+") do
      assert.are.equal(line, json.utf8(line))
      values[#values + 1] = cjson.decode(line)
    end
    return values
  end

  describe("predict", function()
    local function predict(input, words)
      local all = { "predict", model_dir }
      for _, word in ipairs(words or {}) do all[#all + 1] = word end
      local text, status, why = run.with_input(input, all)
      assert.are.equal(0, status, why)
      return decoded(text), text
    end

    it("gives text, label, score and all scores, as the library does",
      function()
        local texts = { "the film is lovely.", "the plot is dull." }
        local answers, text = predict(table.concat(texts, "\n"))
        assert.matches('^{"text":"the film is lovely.","label":"positive",'
          .. '"score":', text)
        for i, expected in ipairs(classifier(model_dir):predict(texts)) do
          expected.text = texts[i]
          assert.are.same(expected, answers[i])
        end
      end)

    it("answers every text, the empty and the broken too", function()
      local answers = predict('\n\255\n{"text": "a \\"film\\"\\n"}\n \n')
      local texts = {}
      for i, answer in ipairs(answers) do
        texts[i] = answer.text
        assert.is_true(math.abs(answer.scores.positive
          + answer.scores.negative - 1) < 1e-5)
        assert.are.equal(answer.scores[answer.label], answer.score)
      end
      assert.are.same({ "", "\239\191\189", 'a "film"\n', " " }, texts)
    end)

    it("reads the formats that it knows by name, and others when told",
      function()
        files.write(path "in.jsonl", { '{"review": "good"}\n' })
        files.write(path "in.tsv", { "n\treview\n1\tgood\n" })
        files.write(path "in.txt", { "good\n" })
        files.write(path "in", { "n,review\n1,good\n" })
        for _, words in ipairs { { "in.jsonl", "--text=review" },
          { "in.tsv", "--text", "review" }, { "in.txt" },
          { "in", "--format=csv", "--text=review" } } do
          words[1] = path(words[1])
          local answers = predict("", words)
          assert.are.equal(1, #answers)
          assert.are.equal("good", answers[1].text)
        end
      end)

    it("says which line can't be read, after what came before it", function()
      local text, status, why = run.with_input("good\n{broken\n",
        { "predict", model_dir })
      assert.are.equal(1, status)
      assert.matches("^lunula: stdin:2: [^\n]+\n$", why)
      local answers = decoded(text)
      assert.are.equal(1, #answers)
      assert.are.equal("good", answers[1].text)
    end)

    -- texts of 1 to 90 words: more than one window, in no order of length
    local function mixed(n)
      local list = {}
      for i = 1, n do
        list[i] = ("the film is good. "):rep(i * 37 % 90 + 1) .. i
      end
      return list
    end

    it("answers texts of all lengths in their order", function()
      local list = mixed(150)
      files.write(path "mixed.txt", { table.concat(list, "\n"), "\n" })
      local model = classifier(model_dir)
      for _, words in ipairs { {}, { "--batch-size=7" },
        { "--batch-tokens=300", "--threads=1" } } do
        local answers = predict("", { path "mixed.txt", unpack(words) })
        assert.are.equal(#list, #answers)
        for i, answer in ipairs(answers) do
          assert.are.equal(list[i], answer.text)
          if i % 10 == 0 then
            assert.is_near(model:predict(list[i]).score, answer.score, 1e-5)
          end
        end
      end
    end)

    it("reads as much of a text as it is told to, and says what it left",
      function()
        local text = "the film is good. dull, dull, awful."
        local short = classifier(model_dir):set_max_length(4)
        for _, how in ipairs { "head", "tail", "windows" } do
          local answer = predict(text, { "-", "--max-length=4",
            "--truncation", how })[1]
          local expected = short:predict(text, { truncation = how })
          assert.are.same({ expected.score, expected.cut },
            { answer.score, answer.cut })
        end
        assert.are.equal(#text - #"the film",
          predict(text, { "-", "--max-length=4" })[1].cut)
        assert.are_not.equal(
          predict(text, { "-", "--max-length=4", "--truncation=windows" })[1]
            .score, predict(text, { "-", "--max-length=4",
            "--truncation=windows", "--stride=0" })[1].score)
      end)

    it("answers in the arithmetic that it is told to", function()
      local text = "the film is good."
      for _, precision in ipairs { "fp32", "bf16", "int8" } do
        local model = classifier(model_dir, { precision = precision })
        assert.is_near(model:predict(text).score,
          predict(text, { "-", "--precision", precision })[1].score, 1e-6)
      end
    end)

    it("marks the answers that are not sure enough", function()
      local input = "the film is lovely.\nfilm plot dull good\n"
      local plain = predict(input)
      local least = math.max(plain[1].score, plain[2].score)
      local answers, text = predict(input, { "-",
        ("--min-score=%.17g"):format(least) })
      for _, answer in ipairs(plain) do
        answer.abstained = answer.score < least or nil
      end
      assert.are.same(plain, answers)
      local _, marked = text:gsub('},"abstained":true}\n', "")
      assert.are.equal(1, marked)
    end)

    it("answers all rows before one that is malformed", function()
      local lines = { "text" }
      for i = 1, 200 do lines[i + 1] = "text " .. i end
      lines[180] = "too,many"
      files.write(path "broken.csv", { table.concat(lines, "\n") })
      local text, status, why = run.lunula { "predict", model_dir,
        path "broken.csv" }
      assert.are.equal(1, status)
      assert.are.equal("lunula: " .. path "broken.csv"
        .. ":180: 2 fields, the header has 1\n", why)
      local answers = decoded(text)
      assert.are.equal(178, #answers)
      assert.are.equal("text 178", answers[178].text)
    end)

    it("answers a program that waits for each answer", function()
      local texts = { "good", "a bad film", '{"text": "dull"}' }
      local answers = run.conversation(texts, { "predict", model_dir })
      assert.are.equal(3, #answers)
      for i, text in ipairs { "good", "a bad film", "dull" } do
        assert.are.equal(text, cjson.decode(answers[i]).text)
      end
    end)

    it("says that standard input can't be read", function()
      local _, status, why = run.piped(" </", { "predict", model_dir })
      assert.are.equal(1, status)
      assert.are.equal("lunula: stdin: Is a directory\n", why)
    end)

    it("reads from a pipe with a name", function()
      local text, status, why = run.piped(" | sort",
        { "predict", model_dir, path "pipe.txt" },
        ("mkfifo %s/pipe.txt; echo good >%s/pipe.txt & "):format(dir, dir))
      assert.are.equal(0, status, why)
      assert.are.equal("good", decoded(text)[1].text)
    end)

    it("ends quietly when nobody reads on", function()
      files.write(path "many.txt", { ("the film is good.\n"):rep(3000) })
      for _, signal in ipairs { "", "trap '' PIPE; " } do
        local text, _, why = run.piped(" | head -n 1",
          { "predict", model_dir, path "many.txt" }, signal)
        assert.are.equal(1, #decoded(text))
        assert.are.equal("", why)
      end
    end)

    it("fails when what it says can't be written", function()
      local _, status, why = run.piped(" >/dev/full",
        { "predict", model_dir, path "test.csv" })
      assert.are.equal(1, status)
      assert.are.equal("lunula: cannot write to standard output: "
        .. "No space left on device\n", why)
    end)
  end)

  describe("active", function()
    local function choose(name, ...)
      return run.lunula { "active", model_dir, path(name), "--count=2", ... }
    end

    local POOL = 'id,text,by\n7,"the film is good, bad.",ann\n'
      .. '8,the film is great.,"bob, jr"\n9,"a\nplot",\n'

    it("prints the chosen rows of a CSV with all their columns", function()
      files.write(path "pool.csv", { POOL })
      files.write(path "known.csv", { "text\nthe film is great.\n" })
      for _, strategy in ipairs { "margin", "entropy", "coreset", "random" } do
        local text, status, why = choose("pool.csv", "--strategy", strategy,
          "--labelled", path "known.csv", "--text=text")
        assert.are.equal(0, status, why)
        assert.matches("^id,text,by\n", text)
        assert.is_truthy(text:find('7,"the film is good, bad.",ann\n', 1, true))
        assert.is_truthy(text:find('9,"a\nplot",\n', 1, true))
        assert.are.equal(#"id,text,by\n" + #'9,"a\nplot",\n'
          + #'7,"the film is good, bad.",ann\n', #text)
      end
    end)

    it("puts the most wanted first, whatever the order of the file",
      function()
        files.write(path "pool.txt",
          { "the film is great.\nthe film is good, bad.\n" })
        assert.are.equal('text\n"the film is good, bad."\n'
          .. "the film is great.\n", (choose "pool.txt"))
      end)

    it("leaves objects as they are, and makes CSV of tabs", function()
      local line = '{"text": "the plot", "tags": [1, {"a": null}]}\n'
      files.write(path "pool.jsonl", { line })
      assert.are.equal(line, (choose "pool.jsonl"))
      files.write(path "pool.tsv", { "n\ttext\n1\ta, b\n" })
      assert.are.equal('n,text\n1,"a, b"\n', (choose "pool.tsv"))
    end)
  end)

  describe("tokenize", function()
    it("gives ids, and offsets in bytes", function()
      local text, status, why = run.with_input("The é film\n\n",
        { "tokenize", path "encoder" })
      assert.are.equal(0, status, why)
      assert.are.equal('{"ids":[2,6,1,7,3],"offsets":'
        .. '[[0,0],[0,3],[4,6],[7,11],[0,0]]}\n'
        .. '{"ids":[2,3],"offsets":[[0,0],[0,0]]}\n', text)
    end)

    it("cuts only where it is told to", function()
      local words = ("film "):rep(600)
      local whole = decoded((run.with_input(words,
        { "tokenize", path "encoder" })))[1]
      assert.are.equal(602, #whole.ids)
      local cut = decoded((run.with_input(words,
        { "tokenize", path "encoder", "--max-length=4" })))[1]
      assert.are.same({ 2, 7, 7, 3 }, cut.ids)
    end)
  end)
end)
