--- Is bfloat16 as accurate as float32? Accuracy on a test file, three seeds.
-- usage: lua5.4 spec/peers/precision.lua MODEL TRAIN TEST TEXT LABEL EPOCHS
--            LEARNING_RATE

local lunula = require "lunula"
local labels = require "lunula.labels"

local SEEDS = { 0, 1, 2 }
local MODEL, TEXT, LABEL = arg[1], arg[4], arg[5]
local EPOCHS, RATE = tonumber(arg[6]), tonumber(arg[7])

local function read(path)
  return lunula.data.read(path, { text = TEXT, label = LABEL })
end

local train, test = read(arg[2]), read(arg[3])

local function accuracy(precision, seed)
  local model = lunula.classifier(MODEL, { labels = labels.of(train),
    seed = seed })
  lunula.train(model, train, { epochs = EPOCHS, learning_rate = RATE,
    seed = seed, precision = precision })
  return 100 * lunula.evaluate(model, test).accuracy
end

-- the mean, and the standard deviation of a seed
local function summary(values)
  local sum, squares = 0, 0
  for _, v in ipairs(values) do sum = sum + v end
  local mean = sum / #values
  for _, v in ipairs(values) do squares = squares + (v - mean) ^ 2 end
  return mean, math.sqrt(squares / (#values - 1))
end

for _, precision in ipairs { "fp32", "bf16" } do
  local values, texts = {}, {}
  for i, seed in ipairs(SEEDS) do
    values[i] = accuracy(precision, seed)
    texts[i] = ("%.2f"):format(values[i])
  end
  local mean, spread = summary(values)
  print(("%s  %.2f +- %.2f  (%s)"):format(precision, mean, spread,
    table.concat(texts, ", ")))
end
