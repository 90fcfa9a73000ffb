--- lunula compare: a model and another system on the same texts.
-- @module lunula.cli.compare

local arguments = require "lunula.cli.arguments"
local core = require "lunula.core"
local fetch = require "lunula.cli.fetch"
local guarded = require "lunula.cli.guarded"
local json = require "lunula.cli.json"
local model = require "lunula.cli.model"
local output = require "lunula.cli.output"
local progress = require "lunula.progress"
local rows = require "lunula.cli.rows"

local OPTIONS = {
  { name = "against", value = "FILE|DIR|NAME", section = "the other system",
    what = "its answers to the texts of F: .csv, .tsv or .jsonl; or another "
      .. "model of lunula" },
  { name = "against-name", value = "NAME", what = "how to call it" },
  { name = "prediction", value = "COL", what = "column of the answers" },
  { name = "prediction-text", value = "COL",
    what = "column of the text there; answers are found by it, in any order" },
  { name = "prediction-text-pair", value = "COL",
    what = "column of a second text there" },
  { name = "header", type = "boolean", default = true,
    what = "their file has no header: columns are numbers from 1" },
  { name = "texts", value = "FILE", what = "the file whose rows, one by one, "
    .. "are the texts of the answers, where theirs has none" },
  { name = "texts-text", value = "COL", what = "column of the text there" },
  { name = "map", type = "list", value = "X=Y,...",
    what = "what they call X is the label Y" },
  { name = "abstain", value = "VALUE",
    what = "what they say where they don't answer: counted as wrong" },
  { name = "unknown", value = "refuse|wrong", choices = { "refuse", "wrong" },
    what = "what becomes of an answer that is no label; refused, but counted "
      .. "as wrong where a language model said it" },
  { name = "partial", type = "boolean",
    what = "judge only texts that have an answer, where some have none" },

  { name = "endpoint", value = "URL", section = "or a large language model "
    .. "to ask, over the OpenAI-compatible interface",
    what = "such as https://api.openai.com/v1" },
  { name = "llm", value = "NAME", what = "the model to ask for" },
  { name = "prompt", value = "FILE", what = "what to ask, with {labels}, "
    .. "{examples} and {text} in it; a plain question when not given" },
  { name = "shots", type = "integer", value = "K", min = 1, max = 1000,
    what = "examples to show, of each label as many" },
  { name = "shots-from", value = "F",
    what = "labelled texts to draw them from: what the model learnt from" },
  { name = "answers", value = "FILE.jsonl", what = "where answers are kept, "
    .. "and not asked for again; LLM.answers.jsonl when not given" },
  { name = "concurrency", type = "integer", value = "N", min = 1, max = 64,
    what = "questions under way at once (4)" },
  { name = "key-env", value = "NAME",
    what = "environment variable with the key (OPENAI_API_KEY)" },
  { name = "temperature", type = "number", value = "T", min = 0, max = 2,
    what = "of its answers (0)" },
  { name = "timeout", type = "integer", value = "SECONDS", min = 1, max = 3600,
    what = "of a question (60)" },
  { name = "max-retries", type = "integer", value = "N", min = 0, max = 100,
    what = "of a question, where the server is busy or fails (6)" },

  { name = "limit", type = "integer", value = "N", min = 1,
    section = "and", what = "judge so many texts, drawn by chance" },
  { name = "seed", type = "integer", value = "N", default = 0,
    what = "of what is drawn and of the intervals" },
  { name = "price-input", type = "number", value = "P", min = 0,
    what = "of a million tokens that the language model reads" },
  { name = "price-output", type = "number", value = "P", min = 0,
    what = "of a million that it writes" },
  { name = "price-hour", type = "number", value = "P", min = 0,
    what = "of an hour of this machine" },
  { name = "json", value = "FILE", what = "write the comparison there" },
}
for i, option in ipairs(rows.options) do table.insert(OPTIONS, i, option) end

local compare = {
  name = "compare",
  summary = "judge a model and another system on the same texts",
  positional = {
    { name = "MODEL", what = "folder that lunula train made" },
    { name = "F", what = "labelled texts: .csv, .tsv or .jsonl" },
  },
  options = model.with_options(OPTIONS),
}

-- {======== arguments ========

local OF_FILE = { "prediction", "prediction-text", "prediction-text-pair",
  "texts", "map", "abstain", "unknown" }
local OF_LLM = { "llm", "prompt", "shots", "answers", "concurrency",
  "key-env", "temperature", "timeout", "max-retries" }

local function check(values)
  arguments.one_of(values, "against", "endpoint")
  if not values.against and not values.endpoint then
    arguments.wrong("--against or --endpoint is needed: what to compare with")
  end
  for _, name in ipairs(OF_LLM) do
    arguments.needs(values, name, "endpoint")
  end
  for _, name in ipairs { "prediction", "prediction-text",
    "prediction-text-pair", "texts", "partial" } do
    arguments.needs(values, name, "against")
  end
  arguments.needs(values, "texts-text", "texts")
  arguments.needs(values, "shots", "shots-from")
  arguments.needs(values, "shots-from", "shots")
  if values.endpoint and not values.llm then
    arguments.wrong("--llm is needed: the model to ask for")
  end
end

-- "x=y" to a table
local function map_of(list)
  if not list then return nil end
  local map = {}
  for _, item in ipairs(list) do
    local from, to = item:match "^(.-)=(.+)$"
    if not from or from == "" then
      arguments.wrong("--map: expected X=Y,..., got '%s'", item)
    elseif map[from] then
      arguments.wrong("--map: '%s' is mapped twice", from)
    end
    map[from] = to
  end
  return map
end

-- }========

-- {======== the other system ========

local function is_file(path)
  return core.io.stat(path) == "file"
    or path:find "%.[ct]sv$" ~= nil or path:find "%.jsonl$" ~= nil
end

local function refuse_of_file(values)
  for _, name in ipairs(OF_FILE) do
    if values[name:gsub("-", "_")] ~= nil then
      arguments.wrong("--%s: only where --against is a file of answers", name)
    end
  end
end

local function read_answers(values)
  return require("lunula").compare.read(values.against, {
    prediction = values.prediction, text = values.prediction_text,
    text_pair = values.prediction_text_pair, header = values.header,
    texts = values.texts, texts_text = values.texts_text,
  })
end

local function load_other(values)
  return model.load({ model = values.against, precision = values.precision,
    threads = values.threads })
end

-- What a model takes in a process of its own.
local function memory_of(folder, classifier, texts, threads)
  return require "lunula.bench.process".measure({ model = fetch.model(folder),
    texts = texts, precision = classifier.precision, threads = threads,
    seconds = 0.1, peak_seconds = 0.01 }).peak_rss_mib
end

local function ask(values, list, classifier, bar)
  local lunula = require "lunula"
  local theirs
  core.system.catch_interrupt(true)
  local ok, why = pcall(function()
    theirs = lunula.compare.ask(list, {
      endpoint = values.endpoint, llm = values.llm, prompt = values.prompt,
      labels = classifier.labels, shots = values.shots,
      shots_from = values.shots_from and lunula.data.read(values.shots_from,
        rows.columns(values, classifier.problem)),
      answers = values.answers, concurrency = values.concurrency,
      key_env = values.key_env, temperature = values.temperature,
      timeout = values.timeout, max_retries = values.max_retries,
      seed = values.seed, on_progress = function(info) bar:texts(info) end,
      on_notice = function(text) bar:say(text) end,
    })
  end)
  core.system.catch_interrupt(false)
  if not ok then error(why, 0) end
  return theirs
end

local function other_system(values, list, classifier, bar)
  if values.endpoint then
    return ask(values, list, classifier, bar)
  elseif is_file(values.against) then
    return read_answers(values)
  end
  refuse_of_file(values)
  return load_other(values), true
end

-- }========

local function texts_of(list)
  local texts = {}
  for i, row in ipairs(list) do texts[i] = row.text end
  return texts
end

local function base_name(path)
  return path:match "([^/]+)/*$" or path
end

local function compare_with(classifier, list, values, bar)
  local lunula = require "lunula"
  local theirs, is_model = other_system(values, list, classifier, bar)
  local found = lunula.compare(classifier, list, {
    against = theirs, name = base_name(values.model),
    against_name = values.against_name
      or is_model and base_name(values.against) or nil,
    map = map_of(values.map), abstain = values.abstain,
    unknown = values.unknown, partial = values.partial, file = values.f,
    seed = values.seed, price_input = values.price_input,
    price_output = values.price_output, price_hour = values.price_hour,
    on_progress = function(info) bar:texts(info) end,
  })
  if (values.price_input or values.price_output)
      and not found.b.cost_per_1000 then
    bar:say("what the other costs is not known: its answers do not say how "
      .. "many tokens they took")
  end
  if is_model then
    local texts = texts_of(list)
    found.a.memory_mib = memory_of(values.model, classifier, texts,
      values.threads)
    found.b.memory_mib = memory_of(values.against, theirs, texts,
      values.threads)
  end
  return found
end

--- Runs the command.
-- @tparam table values of its arguments
function compare.run(values)
  check(values)
  map_of(values.map)
  guarded.check_file(values, "json")
  local lunula = require "lunula"
  local classifier = model.load(values)
  local list = lunula.data.read(values.f,
    rows.columns(values, classifier.problem))
  if values.limit then
    list = lunula.compare.sample(list, values.limit, values.seed)
  end
  local bar = progress.new()
  local found = bar:during(compare_with, classifier, list, values, bar)
  output.line(tostring(found))
  output.flush()
  if values.json then json.write(values.json, found) end
end

return compare
