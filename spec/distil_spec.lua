local checkpoint = require "lunula.checkpoint"
local classifier = require "lunula.classifier"
local distil = require "lunula.distil"
local run = require "spec.support.run"
local tiny = require "spec.support.tiny"
local train = require "lunula.train"

local LABELS = { "negative", "positive" }

describe("Distillation", function()
  local dir, encoder_dir, teacher_dir, teacher
  local rows = tiny.reviews(48)

  setup(function()
    dir = tiny.temporary()
    encoder_dir, teacher_dir = dir .. "/encoder", dir .. "/teacher"
    tiny.write_encoder(encoder_dir, { num_hidden_layers = 4 })
    teacher = classifier(encoder_dir, { labels = LABELS, seed = 1 })
    train(teacher, rows, { epochs = 4, batch_size = 8, learning_rate = 3e-3 })
    teacher:save(teacher_dir)
  end)

  teardown(function() tiny.remove(dir) end)

  local function write(name, ...)
    local file = assert(io.open(dir .. "/" .. name, "wb"))
    file:write(table.concat({ ... }, "\n"), "\n")
    file:close()
    return dir .. "/" .. name
  end

  local function raised(f, ...)
    local ok, why = pcall(f, ...)
    assert.is_false(ok)
    return why
  end

  describe("asks a teacher", function()
    it("which gives what it predicts, and leaves the rows alone", function()
      local scored = distil.scores(teacher, rows)
      assert.are.equal(#rows, #scored)
      for i = 1, #rows, 7 do
        local scores = teacher:predict(rows[i].text).scores
        for _, label in ipairs(LABELS) do
          assert.is_true(math.abs(scored[i].scores[label] - scores[label])
            < 1e-5)
        end
        assert.are.equal(rows[i].label, scored[i].label)
        assert.is_nil(rows[i].scores)
      end
    end)

    it("or several, of which the mean counts", function()
      local other = classifier(encoder_dir, { labels = LABELS, seed = 2 })
      local both = distil.scores({ teacher, other }, rows)
      local one, two = distil.scores(teacher, rows), distil.scores(other, rows)
      for i = 1, #rows do
        local mean = (one[i].scores.positive + two[i].scores.positive) / 2
        assert.is_true(math.abs(both[i].scores.positive - mean) < 1e-9)
      end
    end)

    it("of pairs too", function()
      local pairs_of = { { text = "a film", text_pair = "the plot is good",
        label = "positive" } }
      local scores = distil.scores(teacher, pairs_of)[1].scores
      local expected = teacher:predict("a film",
        { text_pairs = "the plot is good" }).scores
      assert.is_true(math.abs(scores.positive - expected.positive) < 1e-6)
    end)

    it("and tells how far it is", function()
      local told = {}
      distil.scores(teacher, rows, { on_progress = function(done, n)
        told[#told + 1] = done .. "/" .. n
      end })
      assert.are.same({ "48/48" }, told)
    end)

    it("but not what is none, nor teachers that disagree on labels",
      function()
        assert.are.equal("distil.scores: teacher 1: expected a classifier, "
          .. "got a number", raised(distil.scores, { 1 }, rows))
        local other = classifier(encoder_dir, { labels = { "no", "yes" } })
        assert.are.equal("distil.scores: teacher 2 has the labels no, yes, "
          .. "the first negative, positive",
          raised(distil.scores, { teacher, other }, rows))
        assert.are.equal("distil.scores: row 2: text: expected a string, "
          .. "got nil", raised(distil.scores, teacher, { rows[1], {} }))
        assert.are.equal("distil.scores: row 2: expected a table with a "
          .. "text, got a number", raised(distil.scores, teacher,
          { rows[1], 7 }))
        assert.are.equal("distil.scores: no rows",
          raised(distil.scores, teacher, {}))
      end)
  end)

  describe("reads a file of answers", function()
    it("as lunula predict writes it", function()
      local texts = {}
      for i, row in ipairs(rows) do texts[i] = row.text end
      local out, code = run.lunula { "predict", teacher_dir,
        write("texts.txt", table.concat(texts, "\n")) }
      assert.are.equal(0, code)
      local read = distil.read(rows, write("answers.jsonl", out))
      local asked = distil.scores(teacher, rows)
      for i = 1, #rows do
        assert.is_true(math.abs(read[i].scores.positive
          - asked[i].scores.positive) < 1e-5)
      end
    end)

    it("by the text, in any order", function()
      local file = write("three.jsonl",
        '{"text":"b","scores":{"x":0.25,"y":0.75}}', "",
        '{"text":"c","scores":{"x":1}}',
        '{"text":"a","text_pair":"z","scores":{"x":0.5,"y":0.5}}',
        '{"text":"b","scores":{"x":0,"y":1}}')
      local read = distil.read({ { text = "a", text_pair = "z" },
        { text = "b" } }, file)
      assert.are.same({ x = 0.5, y = 0.5 }, read[1].scores)
      assert.are.same({ x = 0.25, y = 0.75 }, read[2].scores)
    end)

    it("and says which answer is wrong or missing", function()
      local function why(...)
        return raised(distil.read, { { text = "a", label = "x",
          file = "rows.csv", line = 7 } }, write("bad.jsonl", ...))
      end
      local place = dir .. "/bad.jsonl:"
      assert.are.equal("rows.csv:7: " .. dir .. "/bad.jsonl has no answer for "
        .. "this text", why '{"text":"b","scores":{"x":1}}')
      assert.are.equal(place .. "2: scores: 'x': expected a probability, got "
        .. "1.5", why('{"text":"b","scores":{"x":1}}',
        '{"text":"a","scores":{"x":1.5}}'))
      assert.matches("1: no 'scores' in this object", why '{"text":"a"}', 1,
        true)
      assert.are.equal(place .. "1: no 'text' in this object", why '{"a":1}')
      assert.matches("1: bad JSON", why "{", 1, true)
      assert.matches("No such file", raised(distil.read, rows, dir .. "/no"),
        1, true)
    end)
  end)

  describe("makes a student", function()
    local function layer(tensors, number)
      local name = ("bert.encoder.layer.%d.attention.self.query.weight")
        :format(number - 1)
      return tensors[name]:totable()
    end

    local function student(given, of)
      given.output = given.output or dir .. "/student"
      local saved = checkpoint.read(distil.student(of or teacher_dir, given))
      return saved, checkpoint.read(teacher_dir)
    end

    it("with the layers asked for", function()
      local small, large = student { layers = { 2, 4 } }
      assert.are.equal(2, small.config.num_hidden_layers)
      assert.are.same(layer(large.tensors, 2), layer(small.tensors, 1))
      assert.are.same(layer(large.tensors, 4), layer(small.tensors, 2))
      assert.is_nil(small.tensors[
        "bert.encoder.layer.2.attention.self.query.weight"])
      for _, name in ipairs { "bert.embeddings.word_embeddings.weight",
          "bert.pooler.dense.weight", "classifier.weight" } do
        assert.are.same(large.tensors[name]:totable(),
          small.tensors[name]:totable())
      end
    end)

    it("with the first, the last, and those between evenly", function()
      local small, large = student { layers = 3 }
      for i, number in ipairs { 1, 3, 4 } do
        assert.are.same(layer(large.tensors, number), layer(small.tensors, i))
      end
      assert.are.same(layer(large.tensors, 1),
        layer(student({ layers = 1 }).tensors, 1))
    end)

    it("which answers as the teacher does when no layer is gone", function()
      student { layers = 4, output = dir .. "/all" }
      local whole = classifier(dir .. "/all")
      assert.are.same(teacher.labels, whole.labels)
      assert.are.equal(teacher:predict("a lovely film").score,
        whole:predict("a lovely film").score)
    end)

    it("of a model that was never saved", function()
      local small = student({ layers = 2 }, teacher)
      assert.are.equal(2, small.config.num_hidden_layers)
      assert.are.same(LABELS, classifier(dir .. "/student").labels)
    end)

    it("of other sizes, with the teacher's words", function()
      student { config = { hidden_size = 8, num_hidden_layers = 1,
        intermediate_size = 12 }, seed = 4 }
      local small = classifier(dir .. "/student", { labels = LABELS })
      assert.are.equal(8, small.encoder.hidden_size)
      assert.are.same(teacher.tokenizer:encode("a film").ids:totable(),
        small.tokenizer:encode("a film").ids:totable())
      local result = train(small, distil.scores(teacher, rows), { epochs = 6,
        batch_size = 8, learning_rate = 1e-2, distillation_weight = 0.5 })
      assert.is_true(result.history[6].train_loss
        < result.history[1].train_loss)
    end)

    it("which learns the teacher's answers", function()
      student { layers = 2 }
      local small = classifier(dir .. "/student")
      local function apart()
        local sum = 0
        for _, row in ipairs(distil.scores(small, rows)) do
          sum = sum + math.abs(row.scores.positive
            - teacher:predict(row.text).scores.positive)
        end
        return sum / #rows
      end
      local before = apart()
      train(small, distil.scores(teacher, rows), { epochs = 8, batch_size = 8,
        learning_rate = 3e-3, distillation_weight = 1, dropout = 0 })
      assert.is_true(apart() < before / 2 or apart() < 0.01)
    end)

    it("but not with layers that there are not", function()
      local function why(given)
        given.output = dir .. "/none"
        return raised(distil.student, teacher_dir, given)
      end
      assert.are.equal("distil.student: layers: expected an integer from 1 to "
        .. "4, got 5", why { layers = 5 })
      assert.are.equal("distil.student: layers: 2: expected an integer from "
        .. "1 to 4, got 0", why { layers = { 1, 0 } })
      assert.are.equal("distil.student: layers: expected them in rising "
        .. "order, got 2 after 3", why { layers = { 3, 2 } })
      assert.are.equal("distil.student: give layers or config, one of them",
        why {})
    end)
  end)

  describe("from the command line", function()
    local function train_with(teacher_given)
      return run.lunula { "train", "--model", dir .. "/student", "--train",
        dir .. "/rows.jsonl", "--teacher", teacher_given, "--output",
        dir .. "/taught", "--epochs", "1", "--batch-size", "8" }
    end

    it("cuts a student, and teaches it", function()
      local out, code = run.lunula { "distil", teacher_dir, "--layers", "1,4",
        "--output", dir .. "/student" }
      assert.are.equal(0, code)
      assert.are.equal(dir .. "/student\n", out)
      local lines, answers = {}, {}
      for i, row in ipairs(rows) do
        lines[i] = ('{"text":"%s","label":"%s"}'):format(row.text, row.label)
        answers[i] = ('{"text":"%s","scores":{"negative":0.5,"positive":0.5}}')
          :format(row.text)
      end
      write("rows.jsonl", table.concat(lines, "\n"))
      local undecided = write("half.jsonl", table.concat(answers, "\n"))
      local of_model, status = train_with(teacher_dir)
      assert.are.equal(0, status)
      assert.matches("^epoch 1/1  train loss", of_model)
      local of_file = train_with(undecided)
      assert.matches("^epoch 1/1  train loss", of_file)
      assert.are_not.equal(of_model, of_file)
    end)

    it("says how layers are named", function()
      local _, code, errors = run.lunula { "distil", teacher_dir, "--layers",
        "1,,3", "--output", dir .. "/student" }
      assert.are.equal(2, code)
      assert.matches("expected a number, or some with commas", errors, 1, true)
    end)
  end)
end)
