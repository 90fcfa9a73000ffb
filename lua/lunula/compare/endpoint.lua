--- A large language model that is asked for labels, over the interface of
-- OpenAI's chat completions, which most servers speak. Every answer is written
-- to a file as it comes, and nothing is asked twice. Where a server is busy or
-- fails, a question is asked again after a while that doubles each time, or as
-- the server says; all questions wait then.
-- @module lunula.compare.endpoint

local answers = require "lunula.compare.answers"
local check = require "lunula.check"
local contents = require "lunula.contents"
local core = require "lunula.core"
local counted = require "lunula.counted"
local json = require "lunula.json"
local labels = require "lunula.labels"
local options = require "lunula.options"
local parse = require "lunula.compare.parse"
local pool = require "lunula.compare.pool"
local prompts = require "lunula.compare.prompt"
local replies = require "lunula.compare.reply"
local shell = require "lunula.shell"

local endpoint = {}

local none = options.none
local KNOWN = {
  endpoint = none, llm = none, labels = none, prompt = none, shots = 0,
  shots_from = none, answers = none, concurrency = 4,
  key_env = none, temperature = 0, timeout = 60, max_retries = 6, seed = 0,
  on_progress = none, on_notice = none,
}
local KEY_ENV = "OPENAI_API_KEY"
local FIRST_DELAY, LONGEST_DELAY = 0.5, 60  -- seconds
local LONGEST_REST = 3600  -- seconds that a server may ask for, and be given

local now = core.system.monotonic

local function fail(message, ...)
  error(message:format(...), 0)
end

-- {======== options ========

-- Where to ask, and how that is called in a message: without what stands behind
-- a question mark, which may be secret. A password would be on a command line.
local function url_of(given)
  check.string(given, "compare: endpoint")
  if given:find "^%a+://[^/?#]*@" then
    fail("compare: endpoint: a name or password in it would be seen by others; "
      .. "the key is taken from the environment")
  elseif not given:find "^https?://[^/%s?#]" or given:find "[%c%s#]" then
    fail("compare: endpoint: expected http:// or https:// and a place, got "
      .. "'%s'", given)
  end
  local url, query = given:match "^([^?]*)(.*)$"
  url = url:gsub("/+$", "")
  if not url:find "/chat/completions$" then url = url .. "/chat/completions" end
  return url .. query, url
end

-- The name of the variable that has a key, and the key; nil where none has.
local function key_of(given)
  local name = check.string(given or KEY_ENV, "compare: key_env")
  if not name:find "^[%a_][%w_]*$" then
    fail("compare: key_env: '%s' is no name of an environment variable", name)
  end
  local key = os.getenv(name) or ""
  if key == "" then
    if given then fail("compare: key_env: %s is not set", name) end
    return nil
  elseif key:find '[^!-~]' or key:find '["\\]' then
    fail("%s: a character that no key has", name)
  end
  return name, key
end

local function read_file(path)
  local text, why = contents(path)
  return text or error(why, 0)
end

local function check_prompt(o)
  labels.check(o.labels, "compare", 1)
  if o.prompt ~= nil then check.path(o.prompt, "compare: prompt") end
  check.integer(o.shots, "compare: shots", { least = 0 })
  if o.shots > 0 then labels.check_rows(o.shots_from, "compare: shots_from") end
end

local function check_options(given)
  local o = options.check(given, KNOWN, "compare.ask")
  o.url, o.place = url_of(o.endpoint)
  check.string(o.llm, "compare: llm")
  check_prompt(o)
  for _, name in ipairs { "on_progress", "on_notice" } do
    if o[name] ~= nil then check.func(o[name], "compare: " .. name) end
  end
  check.integer(o.concurrency, "compare: concurrency", { least = 1, most = 64 })
  check.number(o.temperature, "compare: temperature", { least = 0 })
  check.integer(o.timeout, "compare: timeout", { least = 1 })
  check.integer(o.max_retries, "compare: max_retries", { least = 0 })
  check.integer(o.seed, "compare: seed")
  o.answers = o.answers or o.llm:gsub("[^%w._-]", "-") .. ".answers.jsonl"
  check.path(o.answers, "compare: answers")
  o.key_env, o.key = key_of(o.key_env)
  if not shell.has "curl" then
    fail("compare: curl is not installed (Debian: apt-get install curl)")
  end
  return o
end

-- }========

-- {======== questions ========

local function prompt_of(rows, o)
  local shots = {}
  if o.shots > 0 then
    shots = prompts.draw(o.shots_from, rows, o.shots, o.seed)
  end
  return prompts.new(o.labels, shots, rows[1].text_pair ~= nil,
    o.prompt and read_file(o.prompt))
end

local function body_of(question, o)
  return json.encode({ model = o.llm, temperature = o.temperature,
    messages = { { role = "user", content = question } } })
end

-- What stands for all that is asked but the text.
local function name_of(prompt, o)
  return core.sha256(body_of(prompt:of(nil), o) .. json.encode(o.labels))
end

-- The rows that have no answer yet, each text once, and how many texts have.
local function open_questions(rows, store)
  local list, seen, answered = {}, {}, 0
  for _, row in ipairs(rows) do
    local key = row.text .. "\0" .. (row.text_pair or "")
    if not seen[key] and store:find(row) then
      answered = answered + 1
    elseif not seen[key] then
      list[#list + 1] = { row = row, tries = 0 }
    end
    seen[key] = true
  end
  return list, answered
end

-- }========

-- {======== asking ========

-- A run: `list` of questions, of which those after `at` have not been asked
-- yet, `again` those to be asked again when they are due, `under_way` those in
-- the slots that are not `idle`; none before the moment `not_before`.

-- the next question that is due
local function take(self)
  if now() < self.not_before then return nil end
  for i, question in ipairs(self.again) do
    if now() >= question.due then return table.remove(self.again, i) end
  end
  self.at = self.at + 1
  return self.list[self.at]
end

local function is_over(self)
  return self.at >= #self.list and #self.again == 0
    and #self.idle == self.o.concurrency
end

local function start(self)
  while #self.idle > 0 do
    local question = take(self)
    if not question then return end
    local slot = table.remove(self.idle)
    self.under_way[slot] = question
    self.pool:ask(slot, body_of(self.prompt:of(question.row), self.o))
  end
end

local function keep(self, question, answer)
  answer.text, answer.text_pair = question.row.text, question.row.text_pair
  answer.llm = self.o.llm
  answer.label = self.parser:read(answer.answer).label
  self.store:add(answer)
  self.answered = self.answered + 1
  if self.o.on_progress then
    self.o.on_progress({ done = self.answered, total = #self.list,
      texts = self.answered, seconds = now() - self.begun })
  end
end

local function delay_of(self, question)
  local delay = math.min(FIRST_DELAY * 2 ^ (question.tries - 1), LONGEST_DELAY)
  return delay * (0.5 + 0.5 * self.rng:float())
end

local function put_off(self, question, why, rest)
  question.tries = question.tries + 1
  if question.tries > self.o.max_retries then
    fail("%s, after %s", why, counted(question.tries, "try", "tries"))
  elseif rest and rest > LONGEST_REST then
    fail("%s; it wants to be left alone for %.0f s", why, rest)
  end
  local delay = math.max(delay_of(self, question), rest or 0)
  question.due = now() + delay
  if rest then self.not_before = math.max(self.not_before, now() + rest) end
  self.again[#self.again + 1] = question
  if self.o.on_notice then
    self.o.on_notice(("%s; again in %.1f s"):format(why, delay))
  end
end

local function take_reply(self, slot)
  local question = self.under_way[slot]
  self.under_way[slot] = nil
  self.idle[#self.idle + 1] = slot
  local answer, why, may_pass, rest = replies.read(self.pool:reply(slot),
    self.o.key)
  if answer then return keep(self, question, answer) end
  if not may_pass then fail("%s", why) end
  put_off(self, question, why, rest)
end

local function ask_all(self)
  while not is_over(self) do
    if core.system.interrupted() then fail("interrupted") end
    start(self)
    local slot = self.pool:wait()
    if slot then take_reply(self, slot) end
  end
end

local function new_asking(rows, prompt, store, o)
  local list, answered = open_questions(rows, store)
  local idle = {}
  for slot = 1, o.concurrency do idle[slot] = slot end
  return { list = list, at = 0, again = {}, idle = idle, under_way = {},
    not_before = 0, before = answered, answered = 0, begun = now(),
    rng = core.rng(math.floor(1e3 * now())), prompt = prompt, store = store,
    parser = parse.new(o.labels), o = o }
end

local function run(self)
  if #self.list == 0 then return end
  self.pool = pool.new(self.o)
  local ok, why = pcall(ask_all, self)
  self.pool:close()
  if ok then return end
  local kept = ("%d of %d answers are in %s: the same again goes on from there")
    :format(self.before + self.answered, self.before + #self.list,
      self.o.answers)
  if tostring(why):find "^interrupted" then fail("interrupted; %s", kept) end
  fail("%s: %s; %s", self.o.place, tostring(why), kept)
end

-- }========

-- The answer to each row, in order.
local function collected(rows, store, o)
  local entries, seen = {}, {}
  for _, row in ipairs(rows) do
    local entry = store:find(row)
    if not seen[entry] then entries[#entries + 1] = entry end
    seen[entry] = true
  end
  return answers.as_rows(entries, o.answers)
end

--- Asks a large language model for the label of each text, over an
-- OpenAI-compatible `/chat/completions`, with the program curl.
-- @tparam {table,...} rows as from `data.read`
-- @tparam table given
-- @string given.endpoint its address, "https://api.openai.com/v1"
-- @string given.llm the model to ask for
-- @tparam {string,...} given.labels those to choose from
-- @string[opt] given.prompt a file of what to ask: {labels}, {text}, {examples}
--   where there are shots, and {text_pair} where there are pairs, stand in it.
--   A plain question when not given
-- @int[opt=0] given.shots examples to show, of each label as many
-- @tparam[opt] {table,...} given.shots_from labelled rows to draw them from;
--   none of the texts that are asked about is drawn
-- @string[opt] given.answers file of answers, a line of JSON each: what is in
--   it is not asked again. LLM.answers.jsonl when not given
-- @int[opt=4] given.concurrency questions under way at once
-- @string[opt="OPENAI_API_KEY"] given.key_env environment variable with the
--   key; without one none is sent, unless it is named here
-- @number[opt=0] given.temperature
-- @int[opt=60] given.timeout of a question, in seconds
-- @int[opt=6] given.max_retries of a question, where the server is busy, fails
--   or does not answer; other errors end it at once
-- @int[opt=0] given.seed of the shots
-- @func[opt] given.on_progress called with `{done=, total=, texts=, seconds=}`
-- @func[opt] given.on_notice called with a line when a question is put off,
--   and when answers are there already
-- @treturn table as from `compare.read`
-- @raise when there are no rows; when the server refuses, wants to be left
--   alone for more than an hour, or a question was asked too often: all answers
--   so far stay in the file
-- @usage local theirs = lunula.compare.ask(rows, { llm = "llama3",
--   endpoint = "http://localhost:11434/v1", labels = model.labels })
function endpoint.ask(rows, given)
  local o = check_options(given)
  labels.check_texts(rows, "compare.ask")
  local prompt = prompt_of(rows, o)
  local store = answers.open(o.answers, name_of(prompt, o))
  local asking = new_asking(rows, prompt, store, o)
  if asking.before > 0 and o.on_notice then
    o.on_notice(("%s in %s already: no such is asked for again"):format(
      counted(asking.before, "answer is", "answers are"), o.answers))
  end
  local ok, why = pcall(run, asking)
  store:close()
  if not ok then error(why, 0) end
  return collected(rows, store, o)
end

return endpoint
