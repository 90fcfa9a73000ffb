--- Predictions: what is asked of them, and what they say.
-- The same for a classifier and for one that another state shares, made now
-- or by a job.
-- @module lunula.predictions

local check = require "lunula.check"
local core = require "lunula.core"
local options = require "lunula.options"
local sampler = require "lunula.sampler"
local tokenizer = require "lunula.tokenizer"

local predictions = {}

local none = options.none
local KNOWN = {
  text_pairs = none, batch_size = none, batch_tokens = none,
  truncation = "head", stride = none, threads = none, min_score = none,
}

-- more than any batch has
local NO_LIMIT = 2 ^ 31 - 1

local function fail(message, ...)
  error(message:format(...), 0)
end

local function as_array(given, what)
  if type(given) == "string" then return { given } end
  if type(given) ~= "table" then
    fail("%s: expected a text or an array of texts, got %s", what, type(given))
  end
  return given
end

local function check_pairs(texts, text_pairs, what)
  if type(text_pairs) ~= "table" or #text_pairs ~= #texts then
    fail("%s: text_pairs: expected one for each of %d texts", what, #texts)
  end
  return text_pairs
end

local function limits(o)
  if o.batch_tokens then return NO_LIMIT, o.batch_tokens, o.threads end
  local size, tokens = sampler.limits_to_read(o.batch_size)
  return math.min(size, NO_LIMIT), math.min(tokens, NO_LIMIT), o.threads
end

--- Whether an answer has a score, below which one may abstain.
-- @tparam table problem a type of `lunula.problem`
-- @treturn bool
-- @usage if predictions.has_score(model.problem) then ... end
function predictions.has_score(problem)
  for _, field in ipairs(problem.fields) do
    if field == "score" then return true end
  end
  return false
end

local function check_min_score(o, problem, what)
  if o.min_score == nil then return end
  check.number(o.min_score, what .. ": min_score", { least = 0, most = 1 })
  if not predictions.has_score(problem) then
    fail("%s: min_score: an answer of %s has no score", what, problem.name)
  end
end

local function check_options(given, problem, what)
  local o = options.check(given, KNOWN, what)
  sampler.check(o, what)
  tokenizer.check_truncation(o, what)
  if o.threads then
    check.integer(o.threads, what .. ": threads", { least = 1, most = 64 })
  end
  check_min_score(o, problem, what)
  return o
end

--- Copies of texts, to be answered.
-- @tparam table model `core` (core.model), `problem` and `max_length`
-- @tparam string|{string,...} texts
-- @tparam ?table given options of `classifier:predict`
-- @string what who asks, for the message: "predict"
-- @treturn userdata
-- @raise when a text is no string; on options that exclude one another
function predictions.ask(model, texts, given, what)
  local o = check_options(given, model.problem, what)
  local list, text_pairs = as_array(texts, what), o.text_pairs
  if text_pairs ~= nil then
    text_pairs = type(texts) == "string" and { text_pairs }
      or check_pairs(list, text_pairs, what)
  end
  local ok, made = pcall(core.jobs.answers, model.core, list, text_pairs, {
    max_length = model.max_length, truncation = o.truncation,
    stride = o.stride or -1, add_special_tokens = true, count = false,
    activation = model.problem.activation,
  }, limits(o))
  return ok and made or fail("%s: %s", what, made)
end

--- What is said of all texts.
-- @tparam table model `problem`, `labels` and `thresholds`
-- @tparam {{number,...},...} rows the numbers of each text
-- @tparam {int,...} cut bytes of each that were not read
-- @bool single one text was asked about, no array
-- @tparam ?number min_score below which a prediction is marked as `abstained`
-- @treturn table a prediction, or an array of them
function predictions.all(model, rows, cut, single, min_score)
  local list = {}
  for i, row in ipairs(rows) do
    list[i] = model.problem.answer(row, model)
    list[i].cut = cut[i] > 0 and cut[i] or nil
    if min_score then
      list[i].abstained = list[i].score < min_score or nil
    end
  end
  return single and list[1] or list
end

--- Answers on the thread that calls.
-- @tparam table model `core`, `max_length`, `problem`, `labels`, `thresholds`
--   and `space`
-- @tparam string|{string,...} texts
-- @tparam ?table given options of `classifier:predict`
-- @treturn table as `predictions.all` gives it
function predictions.now(model, texts, given)
  local asked = predictions.ask(model, texts, given, "predict")
  local ok, rows, cut = pcall(asked.run, asked, model.space)
  if not ok then fail("predict: %s", rows) end
  return predictions.all(model, rows, cut, type(texts) == "string",
    given and given.min_score)
end

return predictions
