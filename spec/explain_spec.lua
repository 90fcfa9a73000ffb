local cjson = require "cjson"
local classifier = require "lunula.classifier"
local file = require "spec.support.file"
local files = require("lunula.core").io
local grad = require "lunula.grad"
local run = require "spec.support.run"
local shell = require "lunula.shell"
local tensor = require "lunula.tensor"
local tiny = require "spec.support.tiny"

local LABELS = { "negative", "positive" }
local TEXTS = {
  "the film is good.", "what a dull, awful plot", "films, filming: lovelys!",
  "crème film",
}

local read = file.read

-- an encoder with these words in the place of others
local function write_encoder(dir, words)
  tiny.write_encoder(dir)
  local vocabulary = read(dir .. "/vocab.txt")
  for old, new in pairs(words) do
    vocabulary = vocabulary:gsub(old, new)
  end
  files.write(dir .. "/vocab.txt", { vocabulary })
end

-- a classifier that is sure of little; the larger `factor`, the surer
local function make(dir, factor)
  local model = classifier(dir, { labels = LABELS, seed = 3, pooling = "mean" })
  model.head.weight:copy((model.head.weight * factor):detach())
  return model
end

local function sum_of(words)
  local sum = 0
  for _, word in ipairs(words) do sum = sum + word.score end
  return sum
end

local function words_in(found)
  local list = {}
  for i, word in ipairs(found.words) do list[i] = word.text end
  return list
end

describe("An explanation", function()
  local dir, encoder_dir, model

  setup(function()
    dir = tiny.temporary()
    encoder_dir = dir .. "/encoder"
    write_encoder(encoder_dir, { great = "##s", poor = "##ing" })
    model = make(encoder_dir, 5)
  end)

  teardown(function() tiny.remove(dir) end)

  it("shares out the difference between text and baseline", function()
    for _, text in ipairs(TEXTS) do
      local found, predicted = model:explain(text), model:predict(text)
      assert.are.equal(predicted.label, found.label)
      assert.is_near(predicted.score, found.score, 1e-6)
      local difference = found.score - found.baseline
      assert.is_true(math.abs(difference) > 0.01)
      assert.is_near(difference, sum_of(found.words),
        0.01 * math.abs(difference))
      assert.is_true(found.complete and found.completeness <= 0.01)
    end
  end)

  it("gives each word a place in the text, pieces put together", function()
    local text = "Films, filming:\n the crème isn't lovely"
    local found = model:explain(text)
    assert.are.same({ "Films", ",", "filming", ":", "the", "crème", "isn",
      "'", "t", "lovely" }, words_in(found))
    for _, word in ipairs(found.words) do
      assert.are.equal(word.text, text:sub(word.first, word.last))
    end
  end)

  -- the path in 2000 steps, each in the middle of its part
  it("is the integral of the gradient along the way from the padding",
  function()
    local encoder, tokenizer = model.encoder, model.tokenizer
    for _, p in ipairs(model:parameters()) do p.tensor:requires_grad(false) end
    local batch = tokenizer:encode { "good films is" }
    local ids = batch.ids:totable()
    for i = 2, #ids - 1 do ids[i] = tokenizer.pad_id end
    local from = encoder:embed { ids = tensor.from(ids, "int32") }
    local way = encoder:embed(batch) - from
    local wanted, steps = tensor.zeros { #ids, 1 }, 2000
    for i = 1, steps do
      local words = (from + way * ((i - 0.5) / steps)):requires_grad(true)
      model:forward(batch, { inputs_embeds = words }):softmax(-1)
        :slice(2, 2, 2):sum():backward()
      wanted = wanted + (words:grad() * way):sum(-1, true) * (1 / steps)
    end
    for _, p in ipairs(model:parameters()) do p.tensor:requires_grad(true) end
    wanted = wanted:reshape({ -1 }):totable()
    local found = model:explain("good films is", { label = "positive" })
    local near = 0.01 * math.abs(found.score - found.baseline)
    assert.is_near(wanted[2], found.words[1].score, near)
    assert.is_near(wanted[3] + wanted[4], found.words[2].score, near)
    assert.is_near(wanted[5], found.words[3].score, near)
  end)

  it("is of the label that is asked for", function()
    local one = model:explain(TEXTS[1], { label = "positive" })
    local other = model:explain(TEXTS[1], { label = "negative" })
    assert.are.equal("negative", other.label)
    assert.is_near(1, one.score + other.score, 1e-5)
    assert.is_near(1, one.baseline + other.baseline, 1e-5)
    for i, word in ipairs(one.words) do
      assert.is_near(-word.score, other.words[i].score, 1e-4)
    end
  end)

  it("has no words where there is nothing to explain", function()
    for _, text in ipairs { "", " \n ", "\0" } do
      local found = model:explain(text)
      assert.are.same({}, found.words)
      assert.is_near(found.score, found.baseline, 1e-6)
      assert.is_true(found.complete)
    end
  end)

  it("is of what is read of a text, and says how much was cut", function()
    model:set_max_length(5)
    local text = "the film is good. the plot is not."
    local found = model:explain(text)
    model:set_max_length(128)
    assert.are.same({ "the", "film", "is" }, words_in(found))
    assert.are.equal(7, found.truncated)
    assert.is_near(found.score - found.baseline, sum_of(found.words),
      0.01 * math.abs(found.score - found.baseline))
    assert.are.equal(0, model:explain(text).truncated)
  end)

  it("leaves the model as it was, gradients too", function()
    local frozen = model:parameters()[3].tensor:requires_grad(false)
    model:train()
    local before = model:explain(TEXTS[1])
    assert.is_true(model.encoder.training)
    model:train(false)
    assert.are.same(before, grad.no_grad(model.explain, model, TEXTS[1]))
    for _, p in ipairs(model:parameters()) do
      assert.is_nil(p.tensor:grad(), p.name)
      assert.are.equal(p.tensor ~= frozen and p.name
        ~= model:parameters()[3].name, p.tensor:requires_grad(), p.name)
    end
    frozen:requires_grad(true)
  end)

  it("has the digits of float32 in bfloat16 too", function()
    local exact = model:explain(TEXTS[1])
    model.encoder:set_precision "bf16"
    assert.are.same(exact, model:explain(TEXTS[1]))
    assert.are.equal("bf16", model.encoder.precision)
    model.encoder:set_precision "fp32"
  end)

  it("takes the way from nothing where there is no padding token", function()
    local bare = dir .. "/bare"
    write_encoder(bare, { ["%[PAD%]"] = "pad" })
    local other = make(bare, 5)
    assert.is_nil(other.tokenizer.pad_id)
    local batch = other.tokenizer:encode { "good film" }
    local keep = tensor.from { { 1 }, { 0 }, { 0 }, { 1 } }
    local baseline = other:forward(batch,
      { inputs_embeds = other.encoder:embed(batch) * keep }):softmax(-1)
    local found = other:explain("good film", { label = "positive" })
    assert.is_near(baseline:totable()[1][2], found.baseline, 1e-5)
    assert.is_true(found.complete)
  end)

  it("says so where the scores do not add up", function()
    local found = make(encoder_dir, 1e9):explain(TEXTS[1])
    assert.are.same({ 1, 0 }, { found.score, found.baseline })
    assert.is_false(found.complete)
    assert.is_true(found.completeness > 0.01)
  end)

  it("is refused for what is no text, and of no label", function()
    assert.has_error(function() model:explain(3) end,
      "explain: text: expected a string, got 3")
    assert.has_error(function() model:explain("a", { label = "odd" }) end,
      "explain: label: expected one of negative, positive, got odd")
    assert.has_error(function() model:explain("a", { labels = "odd" }) end,
      "explain: unknown option 'labels'; known: label")
    assert.is_true(model:parameters()[1].tensor:requires_grad())
  end)

  describe("on the command line", function()
    local folder

    setup(function()
      folder = dir .. "/model"
      model:save(folder)
    end)

    local function explain(input, words, environment)
      local all = { "explain", folder }
      for _, word in ipairs(words or {}) do all[#all + 1] = word end
      local text, status, why = run.with_input(input, all, environment)
      assert.are.equal(0, status, why)
      assert.are.equal("", why)
      return text
    end

    it("is a line for each word where there is no terminal", function()
      local found = model:explain("good film")
      assert.are.equal(("%s %.4f (baseline %.4f)\n%+.4f  good\n%+.4f  film\n")
        :format(found.label, found.score, found.baseline,
          found.words[1].score, found.words[2].score), explain("good film\n"))
      assert.matches("^%l+ 0%.%d+ %(baseline 0%.%d+%)\n$", explain("\n"))
    end)

    it("is a line of JSON for each text, as tokenize counts bytes", function()
      local text = explain("Crème film\n\nfilms", { "--jsonl",
        "--label=positive" })
      local lines = {}
      for line in text:gmatch("[^\n]+") do
        lines[#lines + 1] = cjson.decode(line)
      end
      assert.are.equal(3, #lines)
      local first = model:explain("Crème film", { label = "positive" })
      assert.are.equal("positive", lines[1].label)
      assert.is_near(first.score, lines[1].score, 1e-6)
      assert.are.same({ 0, 6 }, lines[1].words[1].offsets)
      assert.are.same({ 7, 11 }, lines[1].words[2].offsets)
      assert.is_near(first.words[2].score, lines[1].words[2].score, 1e-6)
      assert.matches('"words":[]}', text, 1, true)
      assert.are.equal("films", lines[3].words[1].text)
    end)

    -- the words on green and on red, and the text without all colour
    local function painted(text)
      local green, red = {}, {}
      for shade, word in text:gmatch("\27%[38;5;16;48;5;(%d+)m([^\27]*)") do
        local list = tonumber(shade) < 200 and green or red
        list[#list + 1] = word
      end
      return green, red, (text:gsub("\27%[[%d;]*m", ""))
    end

    it("is the text on green and red when asked for", function()
      local text = "The film, though: is lovely?"
      local green, red, plain = painted(explain(text .. "\n",
        { "--color=always" }, { "NO_COLOR=1" }))
      local found, most = model:explain(text), 0
      for _, word in ipairs(found.words) do
        most = math.max(most, math.abs(word.score))
      end
      local wanted = { [true] = {}, [false] = {} }
      for _, word in ipairs(found.words) do
        if math.abs(word.score) >= 0.05 * most then
          local list = wanted[word.score > 0]
          list[#list + 1] = word.text
        end
      end
      assert.are.same(wanted[true], green)
      assert.are.same(wanted[false], red)
      assert.is_true(#green + #red > 0)
      assert.are.equal(("%s %.4f (baseline %.4f)  %s\n"):format(found.label,
        found.score, found.baseline, text), plain)
    end)

    it("gives a terminal no orders of a text's own", function()
      local text = explain("good\27[2J film\194\155\7\n",
        { "--color=always" })
      local _, _, plain = painted(text)
      assert.matches("  good [2J film  \n", plain, 1, true)
      assert.is_nil(plain:find("[\27\7\155]"))
    end)

    it("is coloured on a terminal, but not where NO_COLOR is set", function()
      if not shell.has "script" then return end
      files.write(dir .. "/texts.txt", { "good film\n" })
      local function typed(environment)
        return run.on_terminal({ "explain", folder, dir .. "/texts.txt" },
          environment)
      end
      assert.is_truthy(typed({ "NO_COLOR=", "TERM=xterm" })
        :find("\27[38;5;16", 1, true))
      assert.is_nil(typed({ "NO_COLOR=1", "TERM=xterm" }):find("\27", 1, true))
      assert.is_nil(typed({ "NO_COLOR=", "TERM=dumb" }):find("\27", 1, true))
    end)

    it("is refused for a label that the model lacks, before it reads",
    function()
      local text, status, why = run.with_input("good\n",
        { "explain", folder, "--label=odd" })
      assert.are.same({ "", 2 }, { text, status })
      assert.matches("--label: expected negative, positive, got 'odd'", why, 1,
        true)
    end)
  end)
end)
