local cjson = require "cjson"
local classifier = require "lunula.classifier"
local core = require "lunula.core"
local file = require "spec.support.file"
local lunula = require "lunula"
local run = require "spec.support.run"
local shell = require "lunula.shell"
local sweep = require "lunula.sweep"
local tiny = require "spec.support.tiny"
local training = require "lunula.cli.training"

-- what two runs of the same options need not have in common
local OF_THE_DAY = { "train_seconds", "wall_seconds", "tokens_per_second",
  "peak_rss_mib", "threads" }

local function without_times(record)
  local copy = {}
  for name, value in pairs(record) do copy[name] = value end
  for _, name in ipairs(OF_THE_DAY) do copy[name] = nil end
  return copy
end

local function message_of(f, ...)
  local ok, why = pcall(f, ...)
  assert.is_false(ok)
  return why
end

describe("A sweep", function()
  local dir, count = nil, 0

  local function path(name) return dir .. "/" .. name end

  local function write(name, rows, from, to)
    local lines = { "text,label" }
    for i = from, to do
      lines[#lines + 1] = ('"%s",%s'):format(rows[i].text, rows[i].label)
    end
    file.write(path(name), table.concat(lines, "\n") .. "\n")
  end

  setup(function()
    dir = tiny.temporary()
    tiny.write_encoder(path "encoder")
    local rows = tiny.reviews(96)
    write("train.csv", rows, 1, 64)
    write("dev.csv", rows, 65, 96)
  end)

  teardown(function() tiny.remove(dir) end)

  local function plan(choices, changes)
    local made = { model = path "encoder", train = path "train.csv",
      validation = path "dev.csv", choices = choices,
      fixed = { epochs = 2, batch_size = 8 } }
    for name, value in pairs(changes or {}) do made[name] = value end
    return made
  end

  local LEARNING = { learning_rate = { low = 1e-3, high = 1e-2, log = true },
    dropout = { 0, 0.1 } }

  -- in a folder of its own, when none is named
  local function search(made, given)
    count = count + 1
    local how = { output = path("sweep" .. count), trials = 4 }
    for name, value in pairs(given or {}) do how[name] = value end
    return sweep(made, how), how.output
  end

  local function record_of(folder, number)
    return cjson.decode(file.read(("%s/runs/%03d/run.json"):format(folder,
      number)))
  end

  local function weights(model)
    local all = {}
    for _, p in ipairs(model:parameters()) do
      all[p.name] = p.tensor:totable()
    end
    return all
  end

  it("keeps a record of each run, and the model of the best", function()
    local result, folder = search(plan(LEARNING))
    assert.are.equal(4, #result.runs)
    for i, record in ipairs(result.runs) do
      assert.are.equal(i, record.number)
      assert.are.equal("done", record.status)
      assert.are.equal(record.choice.dropout, record.options.dropout)
      assert.are.same({ 2, 8 },
        { record.options.epochs, record.options.batch_size })
      assert.are.equal(2, #record.history)
      assert.are.equal(record.scores.accuracy, record.score)
      assert.are.equal(16, record.steps)
      assert.are.equal(lunula.version, record.version)
      assert.is_true(record.wall_seconds >= record.train_seconds)
      assert.is_true(record.peak_rss_mib > 1)
      assert.are.equal(record.score, record_of(folder, i).score)
      assert.is_true(result.best.score >= record.score)
      assert.are.same({ "run.json" },
        core.io.list(("%s/runs/%03d"):format(folder, i)))
    end
    local report = lunula.evaluate(classifier(folder .. "/best"),
      lunula.data.read(path "dev.csv"))
    assert.are.equal(result.best.score, report.accuracy)
  end)

  it("trains each run from the same start with its own options", function()
    local result, folder = search(plan({ learning_rate = { 1e-3, 1e-2 },
      pooling = { "first", "mean" }, seed = { 3 } }), { method = "grid" })
    assert.are.equal(4, #result.runs)
    local best = result.best
    local model = classifier(path "encoder", { labels = { "negative",
      "positive" }, pooling = best.choice.pooling, seed = 3 })
    lunula.train(model, lunula.data.read(path "train.csv"), { epochs = 2,
      batch_size = 8, learning_rate = best.choice.learning_rate, seed = 3,
      validation = lunula.data.read(path "dev.csv"),
      checkpoint = path "same" })
    assert.are.same(weights(model), weights(classifier(folder .. "/best")))
  end)

  it("tries all combinations in a grid", function()
    local result = search(plan({ learning_rate = { 1e-3, 2e-3 },
      dropout = { 0, 0.1, 0.2 } }), { method = "grid" })
    local tried = {}
    for i, record in ipairs(result.runs) do
      tried[i] = { record.choice.dropout, record.choice.learning_rate }
    end
    assert.are.same({ { 0, 1e-3 }, { 0, 2e-3 }, { 0.1, 1e-3 }, { 0.1, 2e-3 },
      { 0.2, 1e-3 }, { 0.2, 2e-3 } }, tried)
    assert.are.equal("sweep: learning_rate is a range; a grid needs a list of "
      .. "values", message_of(search, plan(LEARNING), { method = "grid" }))
  end)

  it("halves: the best of each rung go on for longer", function()
    local made = plan({ learning_rate = { low = 1e-3, high = 1e-2,
      log = true } }, { fixed = { batch_size = 8 },
      halving = { min = 1, max = 4, eta = 2 } })
    local result = search(made, { method = "halving", trials = 5 })
    local runs, n = {}, {}
    for i, record in ipairs(result.runs) do
      runs[i] = { record.rung, record.choice.epochs, #record.history }
      n[record.rung] = n[record.rung] or {}
      table.insert(n[record.rung], record)
    end
    assert.are.same({ { 1, 1, 1 }, { 1, 1, 1 }, { 1, 1, 1 }, { 1, 1, 1 },
      { 1, 1, 1 }, { 2, 2, 2 }, { 2, 2, 2 }, { 3, 4, 4 } }, runs)
    for rung = 1, 2 do
      table.sort(n[rung], sweep.is_better)
      for i, record in ipairs(n[rung + 1]) do
        assert.are.equal(n[rung][i].choice.learning_rate,
          record.choice.learning_rate)
      end
    end
    made.choices.epochs = { 1, 2 }
    assert.matches("halving says how large epochs is",
      message_of(search, made, { method = "halving" }))
  end)

  it("goes by the metric that it is told", function()
    local result = search(plan(LEARNING, { metric = "loss" }))
    for _, record in ipairs(result.runs) do
      assert.are.equal(record.scores.loss, record.score)
      assert.is_true(result.best.score <= record.score)
      for _, entry in ipairs(record.validations) do
        assert.is_true(record.score <= entry.scores.loss)
      end
    end
  end)

  -- a file of reviews with a film or a plot beside, and what f says of each
  local function write_others(name, from, to, f)
    local lines, rows = { "first,second,said" }, tiny.reviews(to)
    for i = from, to do
      lines[#lines + 1] = ('"%s",%s,"%s"'):format(rows[i].text,
        rows[i].text:find "film" and "film" or "plot", f(rows[i]))
    end
    file.write(path(name), table.concat(lines, "\n") .. "\n")
  end

  local function other_plan(f, changes)
    write_others("others.csv", 1, 48, f)
    write_others("judges.csv", 49, 72, f)
    local made = plan(LEARNING, { train = path "others.csv",
      validation = path "judges.csv", text = "first", label = "said" })
    for name, value in pairs(changes) do made[name] = value end
    return made
  end

  local function stars(row)
    return (row.label == "positive" and 4 or 1)
      + (row.text:find "film" and 1 or 0)
  end

  it("searches for numbers, of which the least error is best", function()
    local result, folder = search(other_plan(stars, {
      fixed = { problem_type = "regression", epochs = 2, batch_size = 8 } }))
    assert.are.equal("mse", result.best.metric)
    for _, record in ipairs(result.runs) do
      assert.are.equal(record.scores.mse, record.score)
      assert.is_true(result.best.score <= record.score)
    end
    assert.are.equal("regression", classifier(folder .. "/best").problem.name)
    result = search(other_plan(stars, { model = folder .. "/best",
      metric = "mae", fixed = { epochs = 1 } }))
    for _, record in ipairs(result.runs) do
      assert.is_true(result.best.scores.mae <= record.scores.mae)
    end
  end)

  it("searches for ranks, several labels and pairs", function()
    local names = { "dull", "fine", "great" }
    local result, folder = search(other_plan(function(row)
      return row.label == "positive" and (row.text:find "great" and names[3]
        or names[2]) or names[1]
    end, { labels = names, text_pair = "second",
      fixed = { problem_type = "ordinal", epochs = 1 } }), { trials = 2 })
    assert.are.equal("mae", result.best.metric)
    assert.are.same(names, classifier(folder .. "/best").labels)
    result, folder = search(other_plan(function(row)
      return row.label .. (row.text:find "film" and ";film" or "")
    end, { label_separator = ";", fixed = { epochs = 1,
      problem_type = "multi_label_classification" } }), { trials = 2 })
    assert.are.equal("macro_f1", result.best.metric)
    assert.are.same({ "film", "negative", "positive" },
      classifier(folder .. "/best").labels)
  end)

  it("says at once what its problem has not", function()
    local function refused(choices, changes)
      return message_of(search, plan(choices, changes))
    end
    assert.are.equal("sweep: metric: expected one of accuracy, loss, "
      .. "macro_f1, mcc, weighted_f1, got 'mse'",
      refused(LEARNING, { metric = "mse" }))
    assert.are.equal("sweep: choices: problem_type: the rows are of one; it "
      .. "stands in what is fixed",
      refused({ problem_type = { "ordinal", "regression" } }))
    assert.are.equal("sweep: label_separator: not for "
      .. "single_label_classification", refused(LEARNING,
      { label_separator = ";" }))
  end)

  it("fixes nothing that halving would change", function()
    for _, case in ipairs { { "epochs", "epochs" }, { "epochs", "max_steps" },
        { "max_steps", "max_steps" } } do
      local made = plan(LEARNING, { fixed = { [case[2]] = 1 },
        halving = { resource = case[1], min = 1, max = 3 } })
      assert.are.equal(("sweep: halving says how large %s is: %s can't be "
        .. "fixed, too"):format(case[1], case[2]), message_of(search, made,
        { method = "halving" }))
    end
    local made = plan({ max_steps = { 1, 2 } }, { fixed = {} })
    assert.are.equal("sweep: halving says how large epochs is: max_steps "
      .. "can't be a choice, too", message_of(search, made,
      { method = "halving" }))
  end)

  it("takes recipes, behind what it chooses and fixes", function()
    local result = search(plan({ recipe = { "best", "few-shot" } },
      { fixed = { epochs = 1 } }), { method = "grid",
        defaults = { epochs = 9, learning_rate = 9, shuffle = false } })
    for i, name in ipairs { "best", "few-shot" } do
      local options, recipe = result.runs[i].options, lunula.recipes[name]
      assert.are.equal(1, options.epochs)
      assert.are.equal(recipe.batch_size, options.batch_size)
      assert.are.equal(recipe.learning_rate, options.learning_rate)
      assert.is_false(options.shuffle)
      assert.is_nil(options.recipe)
    end
  end)

  it("records a run that fails, and goes on", function()
    local made = plan({ learning_rate = { 1e30, 1e-3 },
      dropout = { 0, 1.5 } })
    local result, folder = search(made, { method = "grid" })
    local status = {}
    for i, record in ipairs(result.runs) do status[i] = record.status end
    assert.are.same({ "failed", "done", "failed", "failed" }, status)
    assert.matches("the loss is", result.runs[1].error, 1, true)
    assert.are.equal("dropout: expected a number of at least 0 and below 1, "
      .. "got 1.5", result.runs[4].error)
    assert.are.equal(2, result.best.number)
    assert.are.equal(result.runs[1].error, record_of(folder, 1).error)
    local _, _, before = core.io.stat(folder .. "/runs/001/run.json")
    sweep(made, { output = folder, method = "grid" })
    assert.are.equal(before,
      (select(3, core.io.stat(folder .. "/runs/001/run.json"))))
  end)

  it("fails when all of its runs do, and may then be another", function()
    local folder = path "mended"
    assert.matches("^sweep: all 2 runs failed; the first: train: "
      .. "weight_decay: ",
      message_of(sweep, plan { weight_decay = { -1, -2 } },
        { output = folder, method = "grid" }))
    local result = sweep(plan { weight_decay = { 1, 2 } },
      { output = folder, method = "grid" })
    assert.are.equal("done", result.runs[2].status)
    assert.are.same({ weight_decay = 1 }, result.runs[1].choice)
  end)

  it("ends at once on what no run could do without", function()
    for _, case in ipairs {
      { plan({ epochs = { 1 } }), "sweep: epochs is fixed, and among the "
        .. "choices" },
      { plan({ epoch = { 1 } }), "train: unknown option 'epoch'; known: " },
      { plan(LEARNING, { test = "test.csv" }), "sweep: unknown option 'test'" },
      { plan(LEARNING, { train = path "none.csv" }), path "none.csv: No such" },
      { plan(LEARNING, { validation = {} }), "sweep: validation: no rows" },
      { plan(LEARNING, { fixed = { max_length = 9999 } }), "max_length of " },
      { plan { metric = { "loss" } }, "sweep: choices: metric is the sweep's "
        .. "own; it stands beside the choices" },
      { plan(LEARNING, { fixed = { checkpoint = "x" } }), "sweep: fixed: "
        .. "checkpoint is the sweep's own" },
      { plan(LEARNING, { fixed = { recipe = "bset" } }), "recipes: no recipe "
        .. "'bset'" },
      { plan(LEARNING), "sweep: on_run: expected a function, got 3",
        { on_run = 3 } },
      { plan(LEARNING), "sweep: on_step: expected a function, got 3",
        { on_step = 3 } },
      { plan(LEARNING), "sweep: defaults: expected a table, got 3",
        { defaults = 3 } },
    } do
      local why = message_of(search, case[1], case[3])
      assert.are.equal(case[2], why:sub(1, #case[2]))
    end
  end)

  it("goes on with more of the same, and with nothing else", function()
    local first, folder = search(plan(LEARNING), { trials = 2 })
    local told = {}
    local result = search(plan(LEARNING), { output = folder, trials = 3,
      on_run = function(_, info) told[#told + 1] = info.is_new end })
    assert.are.same({ false, false, true }, told)
    for i, record in ipairs(first.runs) do
      assert.are.same(without_times(record), without_times(result.runs[i]))
    end
    local function refused(made, given)
      given.output = folder
      return message_of(search, made, given):match "was begun with other (%w+)"
    end
    assert.are.equal("choices",
      refused(plan { dropout = { 0, 0.1 } }, { trials = 3 }))
    assert.are.equal("seed", refused(plan(LEARNING), { seed = 1 }))
    assert.are.equal("halving",
      refused(plan(LEARNING, { halving = { resource = "max_steps", min = 1,
        max = 2 } }), { method = "halving" }))
    assert.are.equal("fixed", refused(plan(LEARNING, { fixed = {} }), {}))
    assert.are.equal("metric",
      refused(plan(LEARNING, { metric = "loss" }), {}))
    assert.matches("has more than 1 runs already",
      message_of(search, plan(LEARNING), { output = folder, trials = 1 }))
  end)

  it("does not mix runs of which a recipe has changed meanwhile", function()
    local made = plan({ epochs = { 1 } }, { fixed = { recipe = "best" } })
    local _, folder = search(made)
    local record = folder .. "/runs/001/run.json"
    local text = file.read(record)
    file.write(record, (text:gsub('"warmup_ratio": [%d.]+',
      '"warmup_ratio": 0.75')))
    assert.are.equal(("sweep: run 1 of %s had other options than it would "
      .. "have now; another version of lunula made it (%s)"):format(folder,
      lunula.version), message_of(search, made, { output = folder }))
    file.write(record, "{}")
    assert.are.equal(record .. ": no record of a run",
      message_of(search, made, { output = folder }))
  end)

  it("puts the best model in place where that was cut short", function()
    local result, folder = search(plan(LEARNING))
    local best = weights(classifier(folder .. "/best"))
    local function move(from, to)
      assert(os.rename(folder .. from, folder .. to))
    end
    local function again()
      search(plan(LEARNING), { output = folder })
      assert.are.same(best, weights(classifier(folder .. "/best")))
      local names = core.io.list(folder)
      table.sort(names)
      assert.are.same({ "best", "runs", "sweep.json" }, names)
    end
    local run_folder = ("/runs/%03d"):format(result.best.number)
    move("/best", run_folder .. "/model")
    again()
    move("/best", run_folder .. "/model")
    core.io.make_folder(folder .. "/.best-before")
    again()
    move("/best", run_folder .. "/model")
    core.io.make_folder(folder .. "/best")
    again()
    core.io.make_folder(folder .. "/.best-before")
    again()
  end)

  it("lets no other into its folder", function()
    local _, folder = search(plan(LEARNING), { trials = 1 })
    local why
    search(plan(LEARNING), { output = folder, trials = 2,
      on_run = function()
        why = message_of(search, plan(LEARNING), { output = folder })
      end })
    assert.are.equal("sweep: another one is running in " .. folder, why)
    core.io.make_folder(path "mine")
    core.io.make_folder(path "mine/best")
    assert.matches("no folder of a sweep",
      message_of(search, plan(LEARNING), { output = path "mine" }))
  end)

  -- {======== the command ========

  local FILE = [[return {
    model = "%s", train = "%s", validation = "%s",
    choices = { learning_rate = { low = 1e-3, high = 1e-2, log = true },
      class_weights = { false, "balanced" }, shuffle = { true, false },
      pooling = { "first", "mean" } },
    fixed = { epochs = %d, batch_size = 8, label_smoothing = 0.05 },
  }]]

  local function write_plan(epochs, text)
    file.write(path "sweep.lua", text or FILE:format(path "encoder",
      path "train.csv", path "dev.csv", epochs))
  end

  local function command(folder, ...)
    return { "sweep", path "sweep.lua", "--output", folder, "--threads=1",
      "--trials=4", ... }
  end

  it("prints the runs, and a command line that repeats the best", function()
    write_plan(3)
    local folder = path "my sweep"
    local text, code, said = run.lunula(command(folder, "--json",
      path "sweep.json"))
    assert.are.equal(0, code, said)
    local figures = cjson.decode(file.read(path "sweep.json"))
    assert.are.equal(4, #figures.runs)
    local best = figures.runs[figures.best]
    local lines = {}
    for line in text:gmatch "[^\n]+" do lines[#lines + 1] = line end
    assert.are.equal(6, #lines)
    assert.matches("^run +class_weights +learning_rate +pooling +shuffle +"
      .. "accuracy +seconds$", lines[1])
    assert.matches(("^%03d .* %.4f +%%d"):format(best.number, best.score),
      lines[2])
    assert.are.equal(figures.command, lines[6])
    assert.matches("run 4/4  ", said, 1, true)
    assert.matches("the best model is " .. folder .. "/best\n$", said)

    local words = lines[6]:match "^lunula (.+)$"
    local process = shell.start("set -- " .. words
      .. "; printf '%s\\n' \"$@\"")
    local list = {}
    for word in process:read("*a"):gmatch "[^\n]+" do
      list[#list + 1] = word
    end
    process:close()
    list[#list + 1] = "--json=" .. path "again.json"
    local _, status, why = run.lunula(list)
    assert.are.equal(0, status, why)
    local again = cjson.decode(file.read(path "again.json"))
    assert.are.same(best.history, again.history)
    assert.are.equal(best.best_epoch, again.best_epoch)
    assert.are.same(weights(classifier(folder .. "/best")),
      weights(classifier(folder .. "/again")))
  end)

  it("says nothing in a command line that means nothing there", function()
    local tried = { epochs = 2, tune = "all", lora_rank = 4,
      averaging = "uniform", averaging_decay = 0.9 }
    assert.are.same({ "--epochs=2", "--tune=all", "--averaging=uniform" },
      training.words(tried))
    tried.tune = "lora"
    assert.are.same({ "--epochs=2", "--tune=lora", "--lora-rank=4",
      "--averaging=uniform" }, training.words(tried))
  end)

  it("goes on after SIGKILL, and ends as if nothing had happened", function()
    write_plan(25)
    local whole, folder = path "whole", path "killed"
    local _, code, said = run.lunula(command(whole))
    assert.are.equal(0, code, said)
    for number = 1, 4 do
      local pid = run.background(command(folder))
      shell.run { "sh", "-c", ("until test -e %s/runs/%03d/run.json || "
        .. "! kill -0 %s; do sleep 0.01; done; kill -9 %s; "
        .. "for i in 1 2 3 4 5 6 7 8 9; do kill -0 %s || break; sleep 0.1; "
        .. "done"):format(folder, number, pid, pid, pid) }
    end
    local ids = {}
    for i = 1, 3 do
      assert.are.equal("done", record_of(folder, i).status)
      ids[i] = select(3, core.io.stat(
        ("%s/runs/%03d/run.json"):format(folder, i)))
    end
    _, code, said = run.lunula(command(folder))
    assert.are.equal(0, code, said)
    for i = 1, 4 do
      assert.are.same(without_times(record_of(whole, i)),
        without_times(record_of(folder, i)))
    end
    for i, id in ipairs(ids) do
      assert.are.equal(id, (select(3, core.io.stat(
        ("%s/runs/%03d/run.json"):format(folder, i)))))
    end
    assert.are.same(weights(classifier(whole .. "/best")),
      weights(classifier(folder .. "/best")))
  end)

  it("stops for Ctrl-C, and keeps what is done", function()
    local folder = path "interrupted"
    write_plan(nil, ("return { model = %q, train = %q, validation = %q, "
      .. "choices = { epochs = { 1, 100000 } } }"):format(path "encoder",
      path "train.csv", path "dev.csv"))
    local _, code, said = run.interrupted("test -e " .. folder
      .. "/runs/002/run.json", { "sweep", path "sweep.lua", "--output",
        folder, "--threads=1", "--method=grid" })
    assert.are.equal(130, code, said)
    assert.matches("\nlunula: interrupted; the same command goes on from "
      .. "here\n$", said)
    assert.are.equal("done", record_of(folder, 1).status)
    assert.are.equal("running", record_of(folder, 2).status)
    assert.are.same({ "negative", "positive" },
      classifier(folder .. "/best").labels)
  end)

  it("says what is wrong with its file before it begins", function()
    for _, case in ipairs {
      { "choices = { learnin_rate = { 1 } }", "choices: unknown option "
        .. "'learnin_rate'; do you mean learning_rate?" },
      { "choices = { epochs = { 1 } }, fixed = { bach_size = 1 }",
        "fixed: unknown option 'bach_size'; do you mean batch_size?" },
      { "choices = { epochs = { 1 } }, fixed = { dropout = 1.5 }",
        "fixed: dropout: expected a number from 0 to 0.99, got '1.5'" },
      { "choices = { epochs = { 1 } }, fixed = { shuffle = 'no' }",
        "fixed: shuffle: expected true or false, got no" },
      { "choices = { epochs = { 1 } }",
        "train: expected the name of a file, got nil" },
    } do
      write_plan(nil, "return { " .. case[1] .. " }")
      local text, code, said = run.lunula(command(path "never"))
      assert.are.equal(1, code)
      assert.are.equal("", text)
      assert.are.equal(("lunula: %s: %s\n"):format(path "sweep.lua", case[2]),
        said)
    end
    assert.is_nil(core.io.stat(path "never"))
  end)

  it("has no number of trials when it is a grid", function()
    local _, code = run.lunula(command(path "never", "--method=grid"))
    assert.are.equal(2, code)
  end)

  -- }========
end)
