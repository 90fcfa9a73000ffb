--- What each technique brings by itself: accuracy with it, over several seeds,
-- beside plain fine-tuning of the same model on the same rows.
-- usage: lua5.4 spec/peers/ablation.lua MODEL FILE RESULTS [NAME=VALUE ...]
--   text, label  columns of FILE
--   learn 400    rows to learn from, drawn once; as many as `judge` others
--   judge 1500   that are never learnt from tell the accuracy; of the rest,
--                where a technique wants texts without labels, 1,200
--   seeds 3      each technique as often, seeds 1, 2, ...
--   part 1/1     do but each second one, beginning with the first: 1/2; several
--                programs can work on one table
-- A run is a line of RESULTS, a JSONL file, and is not repeated when it is
-- there already. The table comes last.

local lunula = require "lunula"
local json = require "lunula.json"
local settings = require "lunula.settings"

local MODEL, FILE, RESULTS = arg[1], arg[2], arg[3]
local given = { learn = 400, judge = 1500, seeds = 3, part = "1/1" }
for i = 4, #arg do
  local name, value = arg[i]:match "^(%w+)=(.*)$"
  given[name] = tonumber(value) or value
end

local BASE = { pooling = "mean", epochs = 3, batch_size = 32,
  learning_rate = 1e-4, precision = "bf16" }

-- what is on in each, over the base; nil: the base as it is
local TECHNIQUES = {
  { "plain fine-tuning", {} },
  { "the pooler in place of the mean", { pooling = "pooler" } },
  { "left to right only", { attention = "causal" } },
  { "schedule cosine", { schedule = "cosine" } },
  { "layer_decay 0.9", { layer_decay = 0.9 } },
  { "reinit_layers 1", { reinit_layers = 1 } },
  { "gradual_unfreezing 1", { gradual_unfreezing = 1, epochs = 5 } },
  { "freeze embeddings", { freeze = { "embeddings" } } },
  { "tune head", { tune = "head", learning_rate = 1e-2, epochs = 10 } },
  { "tune bias", { tune = "bias", learning_rate = 1e-3 } },
  { "tune lora", { tune = "lora", learning_rate = 1e-3 } },
  { "tune adapters", { tune = "adapters", adapter_size = 48,
    learning_rate = 1e-3 } },
  { "averaging ema", { averaging = "ema", averaging_decay = 0.98 } },
  { "averaging uniform", { averaging = "uniform" } },
  { "rdrop_alpha 1", { rdrop_alpha = 1 } },
  { "label_smoothing 0.1", { label_smoothing = 0.1 } },
  { "focal_gamma 2", { focal_gamma = 2 } },
  { "adversarial fgm", { adversarial = "fgm" } },
  { "adversarial smart", { adversarial = "smart" } },
  { "mixout 0.7, no dropout", { mixout = 0.7, dropout = 0 } },
  { "mixup_alpha 0.4", { mixup_alpha = 0.4 } },
  { "word_dropout 0.1", { word_dropout = 0.1 } },
  { "word_swap 0.1", { word_swap = 0.1 } },
  { "pretrain, 3 epochs of all texts, before", {}, pretrained = true },
  { "self_train, one round", {}, self_trained = true },
}

local UNLABELLED = 1200

-- {======== runs ========

local function draw()
  local rows = lunula.data.read(FILE,
    { text = given.text, label = given.label })
  local parts = lunula.split(rows, { seed = 1, stratify = true,
    train = given.learn / #rows, test = given.judge / #rows,
    validation = 1 - (given.learn + given.judge) / #rows })
  local texts = {}
  for i = 1, UNLABELLED do texts[i] = { text = parts.validation[i].text } end
  return parts.train, parts.test, texts
end

-- the folder of an encoder that has read all texts but those to judge by
local function pretrained(train, texts)
  local folder = RESULTS .. ".pretrained"
  if not require("lunula.core").io.stat(folder) then
    local all = {}
    for _, rows in ipairs { train, texts } do
      for _, row in ipairs(rows) do all[#all + 1] = row.text end
    end
    lunula.pretrain(MODEL, all, { precision = "bf16", output = folder })
  end
  return folder
end

local function read_results()
  local done, file = {}, io.open(RESULTS)
  for line in file and file:lines() or function() end do
    local run = json.values(line, RESULTS)
    done[run.name .. run.seed] = run
  end
  if file then file:close() end
  return done
end

local function write_result(run)
  local file = assert(io.open(RESULTS, "a"))
  file:write(json.encode(run), "\n")
  file:close()
end

local function fit(technique, options, train, texts)
  local of_model, of_training = settings.split(options)
  if technique.self_trained then
    local begun = os.time()
    local model = lunula.self_train(MODEL, train, texts, { rounds = 1,
      classifier = of_model, train = of_training })
    return model, os.time() - begun
  end
  local start = technique.pretrained and pretrained(train, texts) or MODEL
  local model = settings.model(start, train, options)
  return model, lunula.train(model, train, of_training).train_seconds
end

local function run_of(technique, seed, train, test, texts)
  local options = { seed = seed }
  for _, part in ipairs { BASE, technique[2] } do
    for name, value in pairs(part) do options[name] = value end
  end
  local model, seconds = fit(technique, options, train, texts)
  local report = lunula.evaluate(model, test)
  return { name = technique[1], seed = seed, accuracy = report.accuracy,
    ece = report.ece, loss = report.loss, seconds = seconds }
end

local function run_all()
  local first, of = given.part:match "^(%d+)/(%d+)$"
  local train, test, texts = draw()
  local i = 0
  for seed = 1, given.seeds do
    for _, technique in ipairs(TECHNIQUES) do
      i = i + 1
      if i % of == first % of
        and not read_results()[technique[1] .. seed] then
        write_result(run_of(technique, seed, train, test, texts))
      end
    end
  end
end

-- }========

local function spread(values)
  local sum, squares = 0, 0
  for _, x in ipairs(values) do sum = sum + x end
  local mean = sum / #values
  for _, x in ipairs(values) do squares = squares + (x - mean) ^ 2 end
  return mean, math.sqrt(squares / math.max(1, #values - 1))
end

local function print_table()
  local done = read_results()
  print "| technique | accuracy, % | ECE | seconds |\n|---|---|---|---|"
  for _, technique in ipairs(TECHNIQUES) do
    local accuracies, eces, seconds = {}, {}, {}
    for seed = 1, given.seeds do
      local run = done[technique[1] .. seed]
      accuracies[#accuracies + 1] = run and 100 * run.accuracy
      eces[#eces + 1] = run and run.ece
      seconds[#seconds + 1] = run and run.seconds
    end
    if #accuracies > 0 then
      print(("| %s | %.1f ± %.1f | %.3f | %.0f |"):format(technique[1],
        select(1, spread(accuracies)), select(2, spread(accuracies)),
        (spread(eces)), (spread(seconds))))
    end
  end
end

run_all()
print_table()
