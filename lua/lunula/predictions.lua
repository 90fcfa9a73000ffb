--- Predictions: what is asked of them, and what they say.
-- The same for a classifier and for one that another state shares, made now
-- or by a job.
-- @module lunula.predictions

local check = require "lunula.check"
local core = require "lunula.core"
local options = require "lunula.options"
local sampler = require "lunula.sampler"

local predictions = {}

local none = options.none
local KNOWN = { text_pairs = none, batch_size = none, batch_tokens = none }

-- texts and tokens of a batch, as `sampler.cut_to_read` has them
local BATCH_SIZE, TOKENS_A_TEXT = 32, 32

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
  if o.batch_tokens then return NO_LIMIT, o.batch_tokens end
  local size = math.min(o.batch_size or BATCH_SIZE, NO_LIMIT)
  return size, math.min(size * TOKENS_A_TEXT, NO_LIMIT)
end

--- Copies of texts, to be answered.
-- @tparam userdata model of `core.model`
-- @int max_length most tokens of a text
-- @tparam string|{string,...} texts
-- @tparam ?table given options of `classifier:predict`
-- @string what who asks, for the message: "predict"
-- @treturn userdata
-- @raise when a text is no string; on options that exclude one another
function predictions.ask(model, max_length, texts, given, what)
  local o = options.check(given, KNOWN, what)
  sampler.check(o, what)
  local list, text_pairs = as_array(texts, what), o.text_pairs
  if text_pairs ~= nil then
    text_pairs = type(texts) == "string" and { check.string(text_pairs,
      what .. ": text_pairs") } or check_pairs(list, text_pairs, what)
  end
  local ok, made = pcall(core.jobs.answers, model, list, text_pairs,
    max_length, limits(o))
  return ok and made or fail("%s: %s", what, made)
end

--- What is said of one text.
-- @tparam {string,...} labels
-- @tparam {number,...} probabilities of each
-- @treturn table `{ label =, score =, scores = }`
function predictions.of(labels, probabilities)
  local best, scores = 1, {}
  for i, label in ipairs(labels) do
    scores[label] = probabilities[i]
    if probabilities[i] > probabilities[best] then best = i end
  end
  return {
    label = labels[best], score = probabilities[best], scores = scores,
  }
end

--- What is said of all texts.
-- @tparam {string,...} labels
-- @tparam {{number,...},...} rows probabilities of each text
-- @bool single one text was asked about, no array
-- @treturn table a prediction, or an array of them
function predictions.all(labels, rows, single)
  local list = {}
  for i, row in ipairs(rows) do list[i] = predictions.of(labels, row) end
  return single and list[1] or list
end

return predictions
