--- As label_noise.lua, with an encoder that does not learn: of many draws of
-- noise, what the noise costs, and what it is worth to take it out. Labels are
-- predicted by logistic regressions over the encoder's vectors, which are made
-- once.
--
-- usage: lua5.4 spec/peers/label_noise_head.lua MODEL TRAIN VALIDATION TEST
--          [key=value ...]
--
--   text=text label=label   the columns
--   noise=0.05 draws=1-20   share of the labels that are flipped; the seeds
--   l2=1 folds=5 threads=1
--
-- Sets to learn from are those of spec/peers/noise.lua. Gains are told with a
-- paired 95 % bootstrap interval over the draws.

local bootstrap = require "lunula.metrics.bootstrap"
local confident = require "lunula.confident"
local core = require "lunula.core"
local cross_predict = require "lunula.cross_predict"
local data = require "lunula.data"
local embedder = require "lunula.embedder"
local labels = require "lunula.labels"
local logistic = require "lunula.few_shot.logistic"
local noise = require "spec.peers.noise"
local tensor = require "lunula.tensor"

local ARMS = { "clean", "noisy", "removed", "relabelled", "reviewed" }

local function options_of(words)
  local o = { text = "text", label = "label", noise = "0.05", draws = "1-20",
    l2 = "1", folds = "5", threads = "1" }
  for i = 5, #words do
    local key, value = words[i]:match "^([%w_]+)=(.*)$"
    o[key or error("what is " .. words[i] .. "?", 0)] = value
  end
  return o
end

local function read(model, path, o)
  local rows = data.read(path, { text = o.text, label = o.label })
  local texts = {}
  for i, row in ipairs(rows) do texts[i] = row.text end
  return { rows = rows, vectors = model:encode(texts) }
end

-- The share of a set that is answered right.
local function accuracy(set, list, weight, bias)
  local logits = set.vectors:matmul(weight:transpose(1, 2)) + bias
  local _, best = logits:topk(1)
  local right = 0
  for i, row in ipairs(best:totable()) do
    right = right + (list[row[1] + 1] == set.rows[i].label and 1 or 0)
  end
  return right / #set.rows
end

local function learn(sets, rows, vectors, list, l2)
  local weight, bias = logistic.fit(vectors,
    labels.classes(rows, list, "noise"), #list, l2)
  return { validation = accuracy(sets.validation, list, weight, bias),
    test = accuracy(sets.test, list, weight, bias) }
end

-- Adds the accuracies of a draw to those of the others.
local function draw(sets, seed, o, accuracies, shares)
  local rows, l2 = sets.train.rows, tonumber(o.l2)
  local noisy, is_flipped = noise.flipped(rows, tonumber(o.noise), seed)
  local p, list = cross_predict("", noisy, { vectors = sets.train.vectors,
    k = tonumber(o.folds), seed = seed, l2 = l2 })
  local issues, numbers = confident.find(noisy, p).issues, {}
  for i, issue in ipairs(issues) do numbers[i] = issue.row end
  local all, right = noise.count(numbers, is_flipped)
  table.insert(shares.precision, right / #numbers)
  table.insert(shares.recall, right / all)
  local arms, kept = noise.refined(rows, noisy, issues)
  for i, row in ipairs(kept) do kept[i] = row - 1 end
  for _, name in ipairs(ARMS) do
    local vectors = sets.train.vectors
    if name == "removed" then
      vectors = vectors:index(1, tensor.from(kept, "int32"))
    end
    table.insert(accuracies[name], learn(sets, arms[name], vectors, list, l2))
  end
end

local function column(list, part)
  local values = {}
  for i, entry in ipairs(list) do values[i] = 100 * entry[part] end
  return values
end

local function show(accuracies, shares)
  print(("found: precision %.2f %%, recall %.2f %%"):format(
    100 * bootstrap.mean(shares.precision).mean,
    100 * bootstrap.mean(shares.recall).mean))
  for _, part in ipairs { "validation", "test" } do
    local noisy = column(accuracies.noisy, part)
    local clean = column(accuracies.clean, part)
    local cost = bootstrap.difference(clean, noisy)
    print(("%s: clean %.2f %%, noisy %.2f %%: cost %.2f [%.2f, %.2f]"):format(
      part, bootstrap.mean(clean).mean, bootstrap.mean(noisy).mean, cost.mean,
      cost.low, cost.high))
    for i = 3, #ARMS do
      local gain = bootstrap.difference(column(accuracies[ARMS[i]], part),
        noisy)
      print(("  %-10s gains %.2f [%.2f, %.2f]: %.0f %% of the cost"):format(
        ARMS[i], gain.mean, gain.low, gain.high, 100 * gain.mean / cost.mean))
    end
  end
end

local function main(model, paths, o)
  core.threads(tonumber(o.threads))
  local made, sets = embedder(model, { normalize = true }), {}
  for i, part in ipairs { "train", "validation", "test" } do
    sets[part] = read(made, paths[i], o)
  end
  local accuracies, shares = {}, { precision = {}, recall = {} }
  for _, name in ipairs(ARMS) do accuracies[name] = {} end
  local first, last = o.draws:match "^(%d+)%-(%d+)$"
  for seed = tonumber(first), tonumber(last) do
    draw(sets, seed, o, accuracies, shares)
  end
  show(accuracies, shares)
end

if #arg < 4 then
  io.stderr:write "usage: label_noise_head.lua MODEL TRAIN VALIDATION TEST\n"
  os.exit(2)
end
main(arg[1], { arg[2], arg[3], arg[4] }, options_of(arg))
