--- Labels flipped by design: how many are found, and what it is worth to take
-- them out. Beside cleanlab, on the same out-of-sample probabilities, where
-- PyPI's `cleanlab` is installed: PYTHON names the interpreter that has it.
--
-- usage: lua5.4 spec/peers/label_noise.lua MODEL TRAIN VALIDATION TEST
--          [key=value ...]
--
--   text=text label=label   the columns
--   noise=0.05 seed=1       share of the labels that are flipped, and which
--   method=train            of lunula.cross_predict: "train" or "head"
--   folds=5 epochs=2        of the out-of-sample probabilities
--   retrain=3 seeds=1-3     epochs of the models that are compared, and their
--                           seeds; seeds=0 trains none
--   arms=clean,noisy,removed,reviewed
--                           the sets that are learnt from
--   precision=bf16 threads=1
--   folder=                 where probabilities and accuracies are left, and
--                           are found again; a temporary one
--
-- Sets to learn from (spec/peers/noise.lua) are compared by VALIDATION and
-- TEST.

local confident = require "lunula.confident"
local core = require "lunula.core"
local cross_predict = require "lunula.cross_predict"
local classifier = require "lunula.classifier"
local data = require "lunula.data"
local evaluate = require "lunula.evaluate"
local labels = require "lunula.labels"
local noise = require "spec.peers.noise"
local peers = require "spec.peers.peers"
local train = require "lunula.train"

local function options_of(words)
  local o = { text = "text", label = "label", noise = "0.05", seed = "1",
    method = "train", folds = "5", epochs = "2", retrain = "3", seeds = "1-3",
    arms = "clean,noisy,removed,reviewed", precision = "bf16", threads = "1" }
  for i = 5, #words do
    local key, value = words[i]:match "^([%w_]+)=(.*)$"
    o[key or error("what is " .. words[i] .. "?", 0)] = value
  end
  return o
end

-- {======== probabilities ========

local function read_numbers(path)
  local file, lists = io.open(path), {}
  if not file then return nil end
  for line in file:lines() do
    local list = {}
    for word in line:gmatch "[^,]+" do list[#list + 1] = tonumber(word) end
    lists[#lists + 1] = list
  end
  file:close()
  return lists
end

-- A row's class, and its probabilities, as both sides read them.
local function write_numbers(path, noisy, list, p)
  local classes = labels.classes(noisy, list, "label_noise")
  local file = assert(io.open(path .. ".part", "w"))
  for i, row in ipairs(p:totable()) do
    file:write(classes[i])
    for _, value in ipairs(row) do file:write((",%.9g"):format(value)) end
    file:write "\n"
  end
  assert(file:close())
  assert(os.rename(path .. ".part", path))
end

local function probabilities(model, noisy, o)
  local path = o.folder .. "/probabilities.csv"
  local found = read_numbers(path)
  if not found then
    local given = { k = tonumber(o.folds), method = o.method,
      seed = tonumber(o.seed), on_fold = function(done, all)
        io.stderr:write(("fold %d of %d\n"):format(done, all))
      end }
    if o.method == "train" then
      given.train = { epochs = tonumber(o.epochs), precision = o.precision }
    end
    local p, list = cross_predict(model, noisy, given)
    write_numbers(path, noisy, list, p)
    found = read_numbers(path)
  end
  for _, row in ipairs(found) do table.remove(row, 1) end
  return found, path
end

-- }========

-- {======== found ========

local function tell(name, numbers, is_flipped, seconds)
  local all, right = noise.count(numbers, is_flipped)
  print(("%-28s %5d found, %5d right: precision %.2f %%, recall %.2f %%%s")
    :format(name, #numbers, right, 100 * right / math.max(#numbers, 1),
      100 * right / all, seconds and (", %.3f s"):format(seconds) or ""))
end

local function theirs(path, filter, sort)
  local text = peers.output_of(("%s spec/peers/label_noise.py '%s' %s %s")
    :format(peers.python, path, filter, sort))
  local numbers = {}
  for word in (text or error("label_noise.py failed", 0)):gmatch "%d+" do
    numbers[#numbers + 1] = tonumber(word) + 1
  end
  return numbers
end

local function same(a, b)
  for i = 1, math.max(#a, #b) do
    if a[i] ~= b[i] then return false end
  end
  return true
end

-- How many of the surest are right.
local function tell_by_margin(issues, is_flipped)
  for _, least in ipairs { 0.8, 0.5, 0 } do
    local numbers = {}
    for _, issue in ipairs(issues) do
      if issue.probability - issue.self_confidence >= least then
        numbers[#numbers + 1] = issue.row
      end
    end
    tell(("  of a margin of %g or more"):format(least), numbers, is_flipped)
  end
end

local FILTERS = { "prune_by_noise_rate", "both", "confident_learning" }

local function find(noisy, p, is_flipped, path)
  local with_cleanlab, default = peers.has { "cleanlab" }, nil
  for _, filter in ipairs(FILTERS) do
    local numbers, begun = {}, os.clock()
    local found = confident.find(noisy, p, { filter = filter })
    local seconds = os.clock() - begun
    for i, issue in ipairs(found.issues) do numbers[i] = issue.row end
    tell("lunula " .. filter, numbers, is_flipped, seconds)
    if with_cleanlab then
      tell("cleanlab " .. filter, theirs(path, filter, ""), is_flipped)
      print(same(numbers, theirs(path, filter, "stable"))
        and "  with stable sorts the same rows in the same order"
        or "  other rows, or another order")
    end
    default = default or found
  end
  tell_by_margin(default.issues, is_flipped)
  return default
end

-- }========

-- {======== what it is worth ========

local function learn(model, rows, sets, seed, o)
  local made = classifier(model, { labels = labels.of(rows), seed = seed })
  train(made, rows, { epochs = tonumber(o.retrain), seed = seed,
    precision = o.precision })
  return { evaluate(made, sets.validation).accuracy,
    evaluate(made, sets.test).accuracy }
end

-- Accuracies that are there are read again: a run may go on.
local function accuracies(model, name, rows, sets, seed, o)
  local path = ("%s/accuracy-%s-%d.csv"):format(o.folder, name, seed)
  local known = read_numbers(path)
  if known then return known[1] end
  local found = learn(model, rows, sets, seed, o)
  local file = assert(io.open(path, "w"))
  file:write(("%.9g,%.9g\n"):format(found[1], found[2]))
  assert(file:close())
  return found
end

-- The mean over the seeds of each arm's accuracies.
local function means(model, arms, names, sets, o)
  local first, last = o.seeds:match "^(%d+)%-?(%d*)$"
  first, last = tonumber(first), tonumber(last) or tonumber(first)
  local mean = {}
  for seed = first, last do
    for _, name in ipairs(names) do
      local a = accuracies(model, name, arms[name], sets, seed, o)
      print(("seed %d %-11s validation %.2f %% test %.2f %%"):format(seed,
        name, 100 * a[1], 100 * a[2]))
      mean[name] = mean[name] or { 0, 0 }
      for i = 1, 2 do
        mean[name][i] = mean[name][i] + a[i] / (last - first + 1)
      end
    end
  end
  return mean
end

local function worth(model, arms, sets, o)
  local names = {}
  for name in o.arms:gmatch "%a+" do names[#names + 1] = name end
  local mean = means(model, arms, names, sets, o)
  if not mean.clean or not mean.noisy then return end
  for i, part in ipairs { "validation", "test" } do
    local cost = mean.clean[i] - mean.noisy[i]
    print(("%s: clean %.2f %%, noisy %.2f %%: the noise cost %.2f"):format(
      part, 100 * mean.clean[i], 100 * mean.noisy[i], 100 * cost))
    for _, name in ipairs(names) do
      if name ~= "clean" and name ~= "noisy" then
        print(("  %-10s %.2f %%: %.0f %% of it is won back"):format(name,
          100 * mean[name][i], 100 * (mean[name][i] - mean.noisy[i]) / cost))
      end
    end
  end
end

-- }========

local function main(model, paths, o)
  core.threads(tonumber(o.threads))
  local columns = { text = o.text, label = o.label }
  local rows = data.read(paths[1], columns)
  local sets = { validation = data.read(paths[2], columns),
    test = data.read(paths[3], columns) }
  o.folder = o.folder or os.tmpname()
  os.remove(o.folder)
  core.io.make_folder(o.folder)
  local noisy, is_flipped = noise.flipped(rows, tonumber(o.noise),
    tonumber(o.seed))
  local p, path = probabilities(model, noisy, o)
  local found = find(noisy, p, is_flipped, path)
  if o.seeds ~= "0" then
    worth(model, noise.refined(rows, noisy, found.issues), sets, o)
  end
end

if #arg < 4 then
  io.stderr:write "usage: label_noise.lua MODEL TRAIN VALIDATION TEST ...\n"
  os.exit(2)
end
main(arg[1], { arg[2], arg[3], arg[4] }, options_of(arg))
