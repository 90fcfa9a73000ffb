local cjson = require "cjson"
local classifier = require "lunula.classifier"
local files = require("lunula.core").io
local file = require "spec.support.file"
local json = require "lunula.json"
local project = require "spec.support.project"
local run = require "spec.support.run"

local unpack = table.unpack or unpack  -- luacheck: ignore

describe("The commands", function()
  local folder, dir, model_dir, printed
  local path, write, read_json

  setup(function()
    folder = project.new()
    dir, path, write = folder.dir, folder.path, folder.write
    read_json = folder.read_json
    model_dir = path "model"
    printed = folder.train(model_dir, "--epochs=4",
      "--validation", path "validation.csv", "--test", path "test.csv",
      "--json", path "train.json")
  end)

  teardown(function() folder.remove() end)

  it("write figures over nothing that they read", function()
    files.write(path "plan.lua", { ("return { model = %q, train = %q, "
      .. "validation = %q, choices = { epochs = { 1 } } }"):format(
        path "encoder", path "train.csv", path "validation.csv") })
    files.write(path "ask.txt", { "{labels} {text}" })
    files.write(path "log.jsonl", { '{"kind":"refinement",'
      .. '"before":{"file":"test.csv","sha256":""},'
      .. '"after":{"file":"train.csv","sha256":""}}\n' })
    local function refuses(inputs, words, option)
      for _, name in ipairs(inputs) do
        local bytes = file.read(path(name))
        local all = { option or "--json", dir .. "/./" .. name }
        for i, word in ipairs(words) do table.insert(all, i, word) end
        local text, status, why = run.lunula(all)
        assert.are.same({ "", 1 }, { text, status }, why)
        assert.are.equal(("lunula: %s: '%s/./%s' is read by this command: give "
          .. "another name\n"):format(option or "--json", dir, name), why)
        assert.are.equal(bytes, file.read(path(name)))
      end
    end
    local test, train, out = path "test.csv", path "train.csv", path "out"
    local encoder, validation = path "encoder", path "validation.csv"
    refuses({ "test.csv", "model/config.json" },
      { "evaluate", model_dir, test })
    refuses({ "test.csv", "validation.csv", "train.csv", "model/config.json" },
      { "compare", model_dir, test, "--against", validation, "--texts", train })
    refuses({ "train.csv", "ask.txt" }, { "compare", model_dir, test,
      "--endpoint=http://127.0.0.1:1", "--llm=x", "--prompt", path "ask.txt",
      "--shots=1", "--shots-from", train })
    refuses({ "train.csv", "validation.csv", "test.csv",
      "encoder/config.json", "model/config.json" },
      { "train", "--model", encoder, "--train", train, "--validation",
        validation, "--test", test, "--output", out, "--teacher", model_dir })
    refuses({ "train.csv", "test.csv", "encoder/config.json" }, { "pretrain",
      "--model", encoder, "--texts", train, "--validation", test, "--output",
      out })
    refuses({ "test.csv", "model/config.json" }, { "bench", model_dir,
      "--data", test })
    refuses({ "train.csv", "encoder/config.json" }, { "bench", "train",
      "--model", encoder, "--train", train })
    refuses({ "plan.lua", "train.csv", "validation.csv",
      "encoder/config.json" }, { "sweep", path "plan.lua", "--output", out })
    refuses({ "log.jsonl", "test.csv", "train.csv", "validation.csv",
      "model/config.json" }, { "audit", "--since", path "log.jsonl",
      "--validation", validation, "--model", model_dir })
    refuses({ "train.json", "model/training.json" },
      { "report", path "train.json", model_dir }, "--output")
    assert.is_nil(files.stat(out))
  end)

  describe("evaluate", function()
    it("prints and writes how a model does", function()
      local text, status, why = run.lunula { "evaluate", model_dir,
        path "test.csv", "--json", path "test.json" }
      assert.are.equal(0, status, why)
      local figures, before = read_json "test.json", read_json "train.json"
      for name, figure in pairs(before.test) do
        assert.are.same(figure, figures[name])
      end
      local report = text:match "^.-\nconfusion.-\n\n"
      assert.is_truthy(printed:find(report:sub(1, -2), 1, true))
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
