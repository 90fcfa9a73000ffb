--- Several tasks over one encoder: each has its labels and a head of its own,
-- and a step learns from a batch of one of them (Caruana 1997, "Multitask
-- Learning").
--
-- The task of a step is drawn with probability proportional to n^(1/T), n its
-- rows and T the temperature: 1 draws in proportion to the rows, a higher one
-- draws small tasks more often (Arivazhagan et al. 2019, "Massively
-- Multilingual Neural Machine Translation in the Wild",
-- https://arxiv.org/abs/1907.05019).
-- @classmod lunula.multitask

local check = require "lunula.check"
local classifier = require "lunula.classifier"
local core = require "lunula.core"
local descent = require "lunula.train.descent"
local evaluate = require "lunula.evaluate"
local options = require "lunula.options"
local plan = require "lunula.train.plan"
local schedule = require "lunula.schedule"
local train = require "lunula.train"

local multitask = {}

local Multitask = {}
Multitask.__index = Multitask

-- random numbers that nothing else of a training uses: orders are the epochs
local DRAW_PURPOSE = 2 ^ 31

local function fail(message, ...)
  error(message:format(...), 0)
end

-- {======== making ========

-- parts of the encoder, whose parameters a head's would pass for
local TAKEN = { bert = true, embeddings = true, encoder = true, pooler = true }

local function check_tasks(tasks)
  local names = options.names(check.table(tasks, "multitask.new: tasks"))
  for _, name in ipairs(names) do
    if type(name) ~= "string" or not name:find "^[%w_-]+$" then
      fail("multitask.new: task '%s': a name is of letters, digits, _ and -",
        tostring(name))
    elseif TAKEN[name] then
      fail("multitask.new: task '%s': a part of the encoder has this name",
        name)
    end
  end
  if #names < 2 then fail("multitask.new: expected two tasks at least") end
  return names
end

-- options of a classifier that are its encoder's
local OF_ENCODER = { "attention", "adapter_size", "dropout" }

local function check_shared(names, tasks)
  for _, name in ipairs(names) do
    for _, option in ipairs(OF_ENCODER) do
      local first, own = tasks[names[1]][option], tasks[name][option]
      if own ~= first then
        fail("multitask.new: %s: %s has %s, %s %s; they share one encoder: "
          .. "give each the same", option, names[1], tostring(first), name,
          tostring(own))
      end
    end
  end
end

--- Makes a classifier for each task, all with the same encoder.
-- @string name_or_dir as for `lunula.classifier`
-- @tparam table tasks by name, the options of `lunula.classifier` of each
-- @treturn multitask with `models`, the classifiers by name: each predicts, is
--   judged and saved as any; and `encoder`
-- @raise as `lunula.classifier`; when there is but one task, or they differ in
--   what is the encoder's: `attention`, `adapter_size`, `dropout`
-- @usage local tasks = lunula.multitask.new("all-MiniLM-L6-v2", {
--   sentiment = { labels = { "negative", "positive" } },
--   topic = { labels = { "film", "food", "travel" } } })
-- tasks:train { sentiment = { rows = reviews }, topic = { rows = posts } }
-- print(tasks.models.topic:predict("What a quiet, lovely film.").label)
function multitask.new(name_or_dir, tasks)
  local self = setmetatable({ names = check_tasks(tasks), models = {} },
    Multitask)
  for _, name in ipairs(self.names) do
    local model = classifier(name_or_dir, tasks[name])
    self.encoder = self.encoder or model.encoder
    model.head = model.head  -- which makes its layers, if it has none yet
    model.encoder = self.encoder
    self.models[name] = model
  end
  check_shared(self.names, tasks)
  return self
end

--- Saves each task's classifier in a folder of its name.
-- @string dir made when it is not there
-- @raise when one can't be written
-- @usage tasks:save "my-models"  -- my-models/sentiment, my-models/topic
function Multitask:save(dir)
  check.path(dir, "save")
  for _, name in ipairs(self.names) do
    self.models[name]:save(dir .. "/" .. name)
  end
end

-- }========

-- {======== all tasks as one model ========

-- what stands in for a classifier while all are trained
local Whole = {}
Whole.__index = Whole

for _, method in ipairs { "train", "seed", "set_dropout", "settle" } do
  Whole[method] = function(self, value)
    for _, name in ipairs(self.names) do
      local model = self.models[name]
      model[method](model, value)
    end
  end
end

-- of each task, by name
function Whole:get_thresholds()
  local all = {}
  for _, name in ipairs(self.names) do
    all[name] = self.models[name]:get_thresholds()
  end
  return all
end

function Whole:set_thresholds(all)
  for _, name in ipairs(self.names) do
    self.models[name]:set_thresholds(all[name])
  end
end

-- the encoder's, with their usual names, and those of each head
function Whole:parameters()
  local list = {}
  for _, p in ipairs(self.encoder:parameters()) do
    list[#list + 1] = { name = "bert." .. p.name, tensor = p.tensor }
  end
  for _, name in ipairs(self.names) do
    for _, p in ipairs(self.models[name].head:parameters()) do
      list[#list + 1] = { name = ("%s.classifier.%s"):format(name, p.name),
        tensor = p.tensor }
    end
  end
  return list
end

-- that of all tasks, or one that is not single labels
local function problem_of(self)
  local found = self.models[self.names[1]].problem
  for _, name in ipairs(self.names) do
    local problem = self.models[name].problem
    if not problem.is_single then found = problem end
  end
  return found
end

local function whole_of(self)
  return setmetatable({ names = self.names, models = self.models,
    encoder = self.encoder, problem = problem_of(self),
    adapter = self.models[self.names[1]].adapter }, Whole)
end

-- }========

-- {======== what is to be done ========

-- The order of tasks and of their batches. A task's epochs follow one another,
-- wherever those of the training end.
local function groups_of(names, plans)
  local places = {}
  for _, name in ipairs(names) do
    places[name] = { epoch = 0, at = 0, groups = {} }
  end
  return function(name)
    local place = places[name]
    if place.at == #place.groups then
      place.epoch, place.at = place.epoch + 1, 0
      place.groups = plans[name].groups(place.epoch)
    end
    place.at = place.at + 1
    return place.groups[place.at]
  end
end

--- How likely each task is.
-- @tparam {string,...} names
-- @tparam table counts rows by name
-- @number temperature
-- @treturn table by name, with a sum of 1
function multitask.shares(names, counts, temperature)
  local shares, sum, most = {}, 0, 0
  for _, name in ipairs(names) do most = math.max(most, counts[name]) end
  for _, name in ipairs(names) do  -- of the most, so that none is too large
    shares[name] = (counts[name] / most) ^ (1 / temperature)
    sum = sum + shares[name]
  end
  for _, name in ipairs(names) do shares[name] = shares[name] / sum end
  return shares
end

local function draw(rng, names, shares)
  local at = rng:below(2 ^ 53) / 2 ^ 53
  for _, name in ipairs(names) do
    at = at - shares[name]
    if at < 0 then return name end
  end
  return names[#names]
end

local function drawer(names, plans, counts, o)
  local shares = multitask.shares(names, counts, o.temperature)
  local next_group, steps = groups_of(names, plans), 0
  for _, name in ipairs(names) do steps = steps + #plans[name].groups(1) end
  return function(epoch)
    local rng, list = core.rng(o.seed, DRAW_PURPOSE + epoch), {}
    for i = 1, steps do
      local name = draw(rng, names, shares)
      list[i] = { task = name, group = next_group(name) }
    end
    return list
  end, steps
end

local function plans_of(self, data, o)
  local plans, counts, truncated = {}, {}, 0
  for _, name in ipairs(self.names) do
    -- false: else those of another task would be found in o
    local of_task = setmetatable({
      validation = data[name].validation or false,
      class_weights = data[name].class_weights }, { __index = o })
    local ok, made = pcall(plan.make, self.models[name], data[name].rows,
      of_task)
    if not ok then fail("%s: %s", name, made) end
    plans[name], counts[name] = made, #data[name].rows
    truncated = truncated + made.tokens.truncated
  end
  return plans, counts, truncated
end

-- What is best, where nobody says: what is so for every task, or the loss.
local function metric_of(plans)
  local metric
  for _, made in pairs(plans) do
    if metric and metric ~= made.metric then return "loss" end
    metric = made.metric
  end
  return metric
end

local function make_plan(self, data, o)
  local plans, counts, truncated = plans_of(self, data, o)
  local groups, an_epoch = drawer(self.names, plans, counts, o)
  local steps = o.max_steps or o.epochs * an_epoch
  return {
    tasks = plans, groups = groups, steps = steps, validation = o.validation,
    tokens = { truncated = truncated }, metric = metric_of(plans),
    factor = schedule[o.schedule](steps, { warmup_ratio = o.warmup_ratio }),
  }
end

-- }========

-- {======== how it is done ========

-- Whoever asks the run for its model in a step means that of the task.
local function descend(run, drawn)
  local model, made = run.model, run.plan
  run.task = drawn.task
  run.model, run.plan = model.models[drawn.task], made.tasks[drawn.task]
  local ok, loss, tokens, rows, weight = pcall(descent.step, run, drawn.group)
  run.model, run.plan = model, made
  if not ok then error(loss, 0) end
  return loss, tokens, rows, weight
end

-- The scores that all tasks have.
local function common_scores(tasks, names)
  local common = {}
  for score in pairs(tasks[names[1]]) do
    local all = score ~= "n"
    for _, name in ipairs(names) do all = all and tasks[name][score] end
    if all then common[#common + 1] = score end
  end
  return common
end

local function mean_of(tasks)
  local mean, names = { n = 0 }, options.names(tasks)
  local common = common_scores(tasks, names)
  for _, score in ipairs(common) do mean[score] = 0 end
  for _, name in ipairs(names) do
    local scores = tasks[name]
    mean.n = mean.n + scores.n
    for _, score in ipairs(common) do
      mean[score] = mean[score] + scores[score] / #names
    end
  end
  return mean
end

local function judge(run)
  local tasks = {}
  for _, name in ipairs(run.model.names) do
    local prepared = run.plan.tasks[name].validation
    if prepared then
      local model = run.model.models[name]
      tasks[name] = train.scores(evaluate.run(model, prepared, nil,
        descent.check_interrupt), model.problem)
    end
  end
  local scores = mean_of(tasks)
  scores.tasks = tasks
  return scores
end

-- }========

-- {======== training ========

-- of a single task's training, or of data that is given for each
local NOT_HERE = {
  validation = true, class_weights = true, checkpoint = true,
  checkpoint_every = true, resume = true, distillation_weight = true,
  distillation_temperature = true, recipe = true,
}

-- Not sooner: techniques are read when a training is.
local function known_options()
  local known = { temperature = 1 }
  for name, default in pairs(train.options) do
    if not NOT_HERE[name] then known[name] = default end
  end
  return known
end

local DATA = { rows = options.none, validation = options.none,
  class_weights = options.none }

local function check_data(self, data)
  local validation
  check.table(data, "multitask: data")
  for _, name in ipairs(self.names) do
    local given = options.check(data[name] or fail("multitask: data: nothing "
      .. "for the task '%s'", name), DATA, "multitask: data: " .. name)
    check.table(given.rows, ("multitask: data: %s: rows"):format(name))
    validation = validation or given.validation
  end
  for name in pairs(data) do
    if not self.models[name] then
      fail("multitask: data: '%s' is none of the tasks: %s", tostring(name),
        table.concat(self.names, ", "))
    end
  end
  return validation
end

local function check_options(self, data, given)
  local o = options.check(given, known_options(), "multitask: train")
  check.number(o.temperature, "multitask: temperature", { above = 0 })
  o.validation = check_data(self, data)
  plan.check(train.complete(o))
  if o.tune == "head" then
    fail('multitask: tune = "head": heads that learn alone have nothing to '
      .. "share; train each by itself")
  end
  return o
end

--- Trains all tasks together.
-- @tparam table data by the name of the task, a table with
-- @tparam {table,...} data.rows as for `lunula.train`
-- @tparam[opt] {table,...} data.validation the best weights are those with the
--   best mean over the tasks that have some
-- @param[opt] data.class_weights as for `lunula.train`
-- @tparam[opt] table given the options of `lunula.train`, without `recipe` and
--   those of a checkpoint or a single task's data, and
-- @number[opt=1] given.temperature of the draw, above 0
-- @int[opt=3] given.epochs one has as many steps as all rows have batches
-- @treturn table as from `lunula.train`; scores are means over tasks, with
--   `tasks`, those of each by name. `on_step` is told the `task`
-- @raise as `lunula.train`, naming the task
-- @usage local result = tasks:train({
--   sentiment = { rows = reviews, validation = others },
--   topic = { rows = posts } }, { epochs = 3, temperature = 2 })
function Multitask:train(data, given)
  local o = check_options(self, data, given)
  local whole = whole_of(self)
  local result = train.fit(train.start(whole, o, make_plan(self, data, o),
    { descend = descend, judge = judge }))
  for _, name in ipairs(self.names) do
    self.models[name].adapter = whole.adapter
  end
  return result
end

-- }========

return multitask
