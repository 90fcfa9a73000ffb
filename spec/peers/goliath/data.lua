--- The data that small models and massive ones are compared on, read from the
-- folder that holds them as their authors publish them: for each set its
-- `train`, `validation` and `test` rows, and what a rival said of the test.
-- No text of a test or validation part is left in a training part, whatever
-- its case, spaces and punctuation.

local lunula = require "lunula"
local json = require "lunula.json"

local data = {}

-- {======== rows ========

-- what two texts have in common that a person would call the same: letters and
-- digits, those of ASCII, since files write others in ways of their own
local function key_of(text)
  return (text:lower():gsub("[^a-z0-9]", ""))
end

-- rows whose texts are in none of the others
local function without(rows, ...)
  local seen, kept = {}, {}
  for _, others in ipairs { ... } do
    for _, row in ipairs(others) do seen[key_of(row.text)] = true end
  end
  for _, row in ipairs(rows) do
    if not seen[key_of(row.text)] then kept[#kept + 1] = row end
  end
  return kept
end

local function held_out(rows, share, seed)
  local parts = lunula.split(rows, { train = 1 - share, validation = share,
    stratify = true, seed = seed })
  return parts.train, parts.validation
end

local function read(path, options) return lunula.data.read(path, options) end

-- }========

-- {======== films ========

local function glue_rows(path, text)
  return read(path, { text = text, label = "label" })
end

-- rows whose texts are in others, too
local function within(rows, others)
  local there, kept = {}, {}
  for _, row in ipairs(others) do there[key_of(row.text)] = true end
  for _, row in ipairs(rows) do
    if there[key_of(row.text)] then kept[#kept + 1] = row end
  end
  return kept
end

-- Stanford's sentiment treebank, learnt from phrases as GLUE has them; those
-- that are whole sentences are `sentences`, too.
function data.sst2_phrases(folder)
  local dir = folder .. "/glue_sst2"
  local test = glue_rows(dir .. "/test.tsv", "content")
  local validation = glue_rows(dir .. "/dev.tsv", "content")
  local train = glue_rows(dir .. "/train.tsv", "sentence")
  train = without(train, test, validation)
  return { train = train, validation = validation, test = test,
    sentences = within(train, data.sst2_sentences(folder).train) }
end

-- and from its sentences alone
function data.sst2_sentences(folder)
  local dir, part = folder .. "/sst2_openai_sentneuron", {}
  for _, name in ipairs { "train", "dev", "test" } do
    part[name] = read(("%s/%s_binary_sent.csv"):format(dir, name),
      { text = "sentence" })
  end
  return { train = without(part.train, part.test, part.dev),
    validation = part.dev, test = part.test }
end

-- texts that two files write apart: one has spaces and quotes that the other
-- has not
local function answers_by_text(dir)
  local gold = read(dir .. "/train.csv",
    { header = false, text = "2", label = "1" })
  local said = read(dir .. "/train_chat_bt.csv",
    { header = false, text = "2", label = "1" })
  local answers = {}
  for i, row in ipairs(gold) do answers[key_of(row.text)] = said[i].label end
  return answers
end

-- Rotten Tomatoes; an abstention of the rival's is not right.
function data.rotten_tomatoes(folder)
  local dir = folder .. "/rt_gpt35"
  local test = read(dir .. "/rotten_tomatoes_test.csv")
  local rows = without(read(dir .. "/rotten_tomatoes_train.csv"), test)
  local train, validation = held_out(rows, 0.1, 1)
  local answers, rival = answers_by_text(dir), {}
  for i, row in ipairs(test) do
    local said = assert(answers[key_of(row.text)], "no answer: " .. row.text)
    rival[i] = said == row.label and 1 or 0
  end
  return { train = without(train, validation), validation = validation,
    test = test, rival = rival }
end

-- }========

-- {======== intents ========

local QUERIES = 500  -- that GPT-5.2 was asked; a line of totals follows

local function gpt5_rows(folder)
  local rows, rival = {}, {}
  for row in lunula.data.rows(folder
      .. "/banking77_gpt5/Banking77_Eval_3_Models - gpt_5_2.csv",
      { text = "user_query", label = "gold_label", group = "prediction" }) do
    rows[#rows + 1] = { text = row.text, label = row.label }
    rival[#rows] = row.group == row.label and 1 or 0
    if #rows == QUERIES then return rows, rival end
  end
end

local function banking(folder)
  local dir = folder .. "/banking77/"
  return read(dir .. "train.csv", { label = "category" }),
    read(dir .. "test.csv", { label = "category" })
end

-- The questions that GPT-5.2 was asked come from the training part: none of
-- them, nor any of the test part, is learnt from.
function data.banking77(folder)
  local all, own_test = banking(folder)
  local test, rival = gpt5_rows(folder)
  local train, validation = held_out(without(all, test, own_test), 0.1, 1)
  return { train = without(train, validation), validation = validation,
    test = test, rival = rival, second = own_test,
    second_name = "Banking77's own test" }
end

local function pairs_of(list)
  local rows = {}
  for i, pair in ipairs(list) do
    rows[i] = { text = pair[1], label = pair[2] }
  end
  return rows
end

local function join(a, b)
  local all = {}
  for _, rows in ipairs { a, b } do
    for _, row in ipairs(rows) do all[#all + 1] = row end
  end
  return all
end

-- 150 intents, and what is none of them: one label more.
function data.clinc150(folder)
  local path = folder .. "/clinc150/data_full.json"
  local file = assert(io.open(path, "rb"))
  local sets = json.values(file:read "*a", path)
  file:close()
  local train, validation, test, oos = pairs_of(sets.train),
    pairs_of(sets.val), pairs_of(sets.test), pairs_of(sets.oos_test)
  train = join(train, pairs_of(sets.oos_train))
  validation = join(validation, pairs_of(sets.oos_val))
  return { train = without(train, test, oos, validation),
    validation = validation, test = test, second = oos,
    second_name = "recall of what is out of scope" }
end

-- }========

-- {======== emotions ========

local function emotion_rows(path, names)
  local rows = {}
  for line in io.lines(path) do
    local text, ids = line:match "^(.-)\t([%d,]+)\t"
    local labels = {}
    for id in ids:gmatch "%d+" do labels[#labels + 1] = names[id + 1] end
    rows[#rows + 1] = { text = text, labels = labels }
  end
  return rows
end

-- Reddit's comments, six emotions and none, one or several each.
function data.goemotions(folder)
  local dir, names = folder .. "/goemotions/ekman", {}
  for line in io.lines(dir .. "/labels.txt") do names[#names + 1] = line end
  local test = emotion_rows(dir .. "/test.tsv", names)
  local validation = emotion_rows(dir .. "/dev.tsv", names)
  return { train = without(emotion_rows(dir .. "/train.tsv", names), test,
    validation), validation = validation, test = test, labels = names }
end

-- }========

return data
