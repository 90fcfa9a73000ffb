--- David beats Goliath: all-MiniLM-L6-v2 (22.7 million parameters), fine-tuned
-- by lunula, beside massive models on the same test rows.
-- usage: lua5.4 spec/peers/goliath.lua DATA RUNS [NAME ...]
--   DATA  the folder of `spec/peers/goliath/data.lua`
--   RUNS  where trainings are kept; stopped, it goes on from there
--   NAME  of some of the sets alone, all when not given; SET/CANDIDATE trains
--         one candidate and judges nothing, for several programs to share work
-- Several trainings of each set are judged by its validation rows; the one
-- that is best there reads the test rows, once. Prints for each set the
-- candidates, then accuracy (GoEmotions: macro F1) on the test rows with the
-- interval of 95 % that the bootstrap gives, parameters and minutes.

local lunula = require "lunula"
local bootstrap = require "lunula.metrics.bootstrap"
local checkpoint = require "lunula.checkpoint"
local data = require "spec.peers.goliath.data"
local sets = require "spec.peers.goliath.sets"
local settings = require "lunula.settings"

local MODEL = "all-MiniLM-L6-v2"
local DATA, RUNS = arg[1], arg[2]

local function wanted(set)
  if #arg < 3 then return true end
  for i = 3, #arg do
    local name = arg[i]:match "^[^/]+"
    if set.name == name then return true, arg[i]:match "/(.+)$" end
  end
end

-- {======== training ========

local function parameters_of(model)
  local n = 0
  for _, p in ipairs(model:parameters()) do
    local size = 1
    for _, k in ipairs(p.tensor:shape()) do size = size * k end
    n = n + size
  end
  return n
end

-- Rows with what earlier candidates of the set say of them.
local function taught(rows, teachers, dir)
  local models = {}
  for i, name in ipairs(teachers) do
    models[i] = lunula.classifier(dir .. "/" .. name, { precision = "bf16" })
  end
  return lunula.distil.scores(models, rows)
end

-- The options of a candidate, over those of all.
local function options_of(set, candidate)
  local options = {}
  for _, part in ipairs { sets.ALL, set.all or {}, candidate.options } do
    for name, value in pairs(part) do options[name] = value end
  end
  return options
end

local function told(candidate, score, minutes)
  print(("  %-24s validation %.4f  %5.1f min"):format(candidate.name, score,
    minutes))
  io.stdout:flush()
end

-- Trains a candidate, or takes up what an earlier run of this made of it.
local function train(set, rows, candidate, dir)
  local folder = dir .. "/" .. candidate.name
  local options = options_of(set, candidate)
  local learnt = rows[candidate.rows or "train"]
  if candidate.teachers then
    learnt = taught(learnt, candidate.teachers, dir)
  end
  local start = candidate.from and RUNS .. "/" .. candidate.from or MODEL
  options.new_head = candidate.from ~= nil
    and candidate.from:match "^[^/]+" ~= set.name
  local model = settings.model(start, rows.train, options)
  local of_training = select(2, settings.split(options))
  of_training.validation, of_training.metric = rows.validation, set.metric
  of_training.checkpoint, of_training.resume = folder, true
  local result = lunula.train(model, learnt, of_training)
  local best = 0
  for _, entry in ipairs(result.validations) do
    best = math.max(best, entry.scores[set.metric])
  end
  told(candidate, best, result.train_seconds / 60)
  return model, best, result.train_seconds / 60
end

-- The mean of the weights of earlier candidates, which began alike (Wortsman et
-- al. 2022, "Model soups", https://arxiv.org/abs/2203.05482).
local function mix(set, rows, candidate, dir)
  local model
  for i, name in ipairs(candidate.soup) do
    local other = lunula.classifier(dir .. "/" .. name)
    model = model or other
    local parameters = other:parameters()
    for j, p in ipairs(model:parameters()) do
      p.tensor:lerp_to(parameters[j].tensor, 1 / i)
    end
  end
  local score = lunula.evaluate(model, rows.validation)[set.metric]
  told(candidate, score, 0)
  return model, score, 0
end

local function find(set, name)
  for _, candidate in ipairs(set.candidates) do
    if candidate.name == name then return candidate end
  end
  error(("%s: no candidate '%s'"):format(set.name, name), 0)
end

-- The minutes of a candidate and of those of its set that it is made of, each
-- once.
local function minutes_of(set, candidate, spent, seen)
  seen = seen or {}
  if seen[candidate.name] then return 0 end
  seen[candidate.name] = true
  local sum, names = spent[candidate.name], {}
  for _, name in ipairs(candidate.teachers or candidate.soup or {}) do
    names[#names + 1] = name
  end
  names[#names + 1] = (candidate.from or ""):match("^" .. set.name .. "/(.+)$")
  for _, name in ipairs(names) do
    sum = sum + minutes_of(set, find(set, name), spent, seen)
  end
  return sum
end

local function choose(set, rows, dir)
  local chosen, minutes = nil, {}
  for _, candidate in ipairs(set.candidates) do
    local make = candidate.soup and mix or train
    local model, score, spent = make(set, rows, candidate, dir)
    minutes[candidate.name] = spent
    if not chosen or score > chosen.score then
      chosen = { model = model, score = score, name = candidate.name,
        minutes = minutes_of(set, candidate, minutes) }
    end
    collectgarbage()
  end
  return chosen
end

-- }========

-- {======== judging ========

-- what was found for all rows, in their order, read in the model's best form
local function answers(model, rows)
  local texts = {}
  for i, row in ipairs(rows) do texts[i] = row.text end
  return model:predict(texts)
end

-- 1 for each row that is right
local function right(model, rows)
  local list = {}
  for i, answer in ipairs(answers(model, rows)) do
    list[i] = answer.label == rows[i].label and 1 or 0
  end
  return list
end

local function shown(interval)
  return ("%.1f %% (%.1f to %.1f)"):format(100 * interval.mean,
    100 * interval.low, 100 * interval.high)
end

local function judge(set, rows, chosen)
  if set.metric == "macro_f1" then
    return shown(sets.macro_f1(answers(chosen.model, rows.test), rows.test))
  end
  local list = right(chosen.model, rows.test)
  local text = shown(bootstrap.mean(list))
  if rows.rival then
    text = text .. ("; rival %.1f %%, difference %s"):format(
      100 * bootstrap.mean(rows.rival).mean,
      shown(bootstrap.difference(list, rows.rival)))
  end
  if rows.second then
    text = text .. ("; %s %s"):format(rows.second_name,
      shown(bootstrap.mean(right(chosen.model, rows.second))))
  end
  return text
end

local function compare(set, rows, dir)
  local chosen = choose(set, rows, dir)
  print(("  chosen: %s; test %s; %.1f M parameters; %.0f min"):format(
    chosen.name, judge(set, rows, chosen),
    parameters_of(chosen.model) / 1e6, chosen.minutes))
end

-- }========

for _, set in ipairs(sets) do
  local is_wanted, alone = wanted(set)
  if is_wanted then
    local rows, dir = data[set.name](DATA), RUNS .. "/" .. set.name
    checkpoint.make_folders(dir)
    print(("%s: %d to learn from, %d validation, %d test; to beat: %s"):format(
      set.name, #rows.train, #rows.validation, #rows.test, set.rival))
    if alone then
      train(set, rows, find(set, alone), dir)
    else
      compare(set, rows, dir)
    end
  end
end
