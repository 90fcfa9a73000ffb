--- What the words of a text say for a label: integrated gradients.
--
-- A classifier gives a text's label a probability. Integrated gradients
-- (Sundararajan, Taly & Yan 2017, "Axiomatic Attribution for Deep Networks",
-- https://arxiv.org/abs/1703.01365) share out the difference between it and
-- that of a baseline among the words: along the straight line from the
-- baseline's word vectors to the text's, the gradient of the probability is
-- gathered. The baseline is the text with the padding token in the place of
-- each token but [CLS] and [SEP], which is the reference that Captum's
-- tutorials and transformers-interpret have, too.
--
-- The scores must add up: they sum to score - baseline (completeness). The
-- line is cut into pieces, each integrated by five points (Gauss and
-- Legendre), and how far a piece is off is known, since the probabilities at
-- its ends are. The worst piece is halved until all of them together are off
-- by less than 1 %. Points so lie where the probability turns: for SST-2 some
-- 40 do what takes 100 to 200 of one rule for the whole line.
--
-- The arithmetic is float32, whatever the encoder's precision: a bfloat16 sum
-- would not add up.
-- @module lunula.explain

local check = require "lunula.check"
local core = require "lunula.core"
local grad = require "lunula.grad"
local options = require "lunula.options"
local tensor = require "lunula.tensor"

local PIECES = 4          -- of the line, at first
local MOST_PIECES = 60    -- a line that needs more is given up
local TOLERANCE = 0.01    -- of what the scores sum to
local SMALLEST = 1e-4     -- a smaller difference counts as this: float32 has
                          -- not the digits for 1 % of it

-- Gauss and Legendre's rule of five points for an integral from 0 to 1, and
-- the end of the piece, where only the probability is asked for
local NODES = { 0.04691007703066800, 0.23076534494715845, 0.5,
  0.76923465505284155, 0.95308992296933200, 1 }
local WEIGHTS = { 0.11846344252809454, 0.23931433524968324,
  0.28444444444444444, 0.23931433524968324, 0.11846344252809454, 0 }

local BATCH_TOKENS = 1024  -- of points read together, where pieces are short

local KNOWN = { label = options.none }

-- {======== the path ========

-- `count` copies of the one sequence of a batch, for as many vectors each
local function repeated(tokens, count)
  local rows = tensor.zeros({ count }, "int32")
  local ids, types, offsets = core.gather(tokens.ids, tokens.types,
    tokens.offsets, rows)
  return { ids = ids, types = types, offsets = offsets }
end

-- the probability of each label for points [count, tokens, hidden]
local function probabilities(path, points)
  local shape = points:shape()
  local vectors = points:reshape { shape[1] * shape[2], shape[3] }
  return path.model.problem.probabilities(path.model:forward(
    repeated(path.tokens, shape[1]),
    { inputs_embeds = vectors }))
end

-- word vectors of the text as they are, and the baseline's: padding, or
-- nothing where there is none, for each token that has text. [1, tokens,
-- hidden]
local function ends_of(model, tokens)
  local vectors = model.encoder:embed(tokens)
  local padding = model.tokenizer.pad_id
  local ids, kept = tokens.ids:totable(), {}
  for i, span in ipairs(tokens.spans:totable()) do
    local has_text = span[2] > span[1]
    kept[i] = { has_text and 0 or 1 }
    if has_text and padding then ids[i] = padding end
  end
  local baseline = model.encoder:embed { ids = tensor.from(ids, "int32") }
  if not padding then baseline = baseline * tensor.from(kept) end
  local shape = vectors:shape()
  local one = { 1, shape[1], shape[2] }
  return vectors:reshape(one), baseline:reshape(one)
end

-- the way from the baseline to the text, of whose label the probability is
-- followed: the one that is said when none is given
local function path_of(model, tokens, class)
  local text, baseline = ends_of(model, tokens)
  local path = { model = model, tokens = tokens, baseline = baseline,
    way = text - baseline }
  local ends = grad.no_grad(probabilities, path,
    tensor.concat({ baseline, text }, 1)):totable()
  path.class = class or model.problem.choose(ends[2])
  path.f_baseline, path.f_text = ends[1][path.class], ends[2][path.class]
  return path
end

-- places on the path and their weights, for n pieces one after the other
local function rule_of(from, width, n)
  local places, weights = {}, {}
  for i = 1, n do
    for j, node in ipairs(NODES) do
      places[#places + 1] = from + (i - 1 + node) * width
      weights[#places] = { WEIGHTS[j] * width }
    end
  end
  return places, weights
end

-- Gives a piece its `scores`, those of each token at its points [points,
-- tokens] summed, and how far they are `off` what they should sum to.
local function settle(piece, points, first)
  local scores, sum = {}, 0
  for i = 1, #points[first] do
    scores[i] = 0
    for j = first, first + #NODES - 1 do
      scores[i] = scores[i] + points[j][i]
    end
    sum = sum + scores[i]
  end
  piece.scores = scores
  piece.off = math.abs(sum - (piece.f_to - piece.f_from))
  return piece
end

-- n pieces of the path, in one ragged batch; f: the probability where they
-- begin
local function measure_together(path, from, width, n, f)
  local places, weights = rule_of(from, width, n)
  local at = tensor.from(places):reshape { #places, 1, 1 }
  local points = (path.baseline + at * path.way):requires_grad(true)
  local values = probabilities(path, points)
    :slice(2, path.class, path.class)
  values:backward(tensor.from(weights))
  values = values:totable()
  local scores, pieces = (points:grad() * path.way):sum(-1):totable(), {}
  for i = 1, n do
    local piece = { from = from + (i - 1) * width, to = from + i * width,
      f_from = f, f_to = values[i * #NODES][1] }
    pieces[i] = settle(piece, scores, (i - 1) * #NODES + 1)
    f = piece.f_to
  end
  return pieces
end

-- the same, in as many batches as memory asks for
local function measure(path, from, to, n, f)
  local width, pieces = (to - from) / n, {}
  local most = math.max(1, math.floor(BATCH_TOKENS / #NODES
    / #path.tokens.ids))
  for first = 0, n - 1, most do
    for _, piece in ipairs(measure_together(path, from + first * width, width,
        math.min(most, n - first), f)) do
      pieces[#pieces + 1], f = piece, piece.f_to
    end
  end
  return pieces
end

-- how far the pieces are off together, and the number of the worst
local function judge(pieces)
  local off, worst = 0, 1
  for i, piece in ipairs(pieces) do
    off = off + piece.off
    if piece.off > pieces[worst].off then worst = i end
  end
  return off, worst
end

local function halve(path, pieces, i)
  local piece = pieces[i]
  local halves = measure(path, piece.from, piece.to, 2, piece.f_from)
  pieces[i], pieces[#pieces + 1] = halves[1], halves[2]
end

-- a score for each token, and how far off their sum is, as a share of it
local function integrate(path)
  local pieces = measure(path, 0, 1, PIECES, path.f_baseline)
  local difference = math.max(math.abs(path.f_text - path.f_baseline),
    SMALLEST)
  local off, worst = judge(pieces)
  while off > TOLERANCE * difference and #pieces < MOST_PIECES do
    halve(path, pieces, worst)
    off, worst = judge(pieces)
  end
  local scores = {}
  for i = 1, #path.tokens.ids do
    scores[i] = 0
    for _, piece in ipairs(pieces) do
      scores[i] = scores[i] + piece.scores[i]
    end
  end
  return scores, off / difference
end

-- }========

-- {======== words ========

-- Tokens put together into words: a piece that goes on with a word adds to
-- it. Spans are in bytes from 0, the end not included; positions in Lua count
-- from 1.
local function words_of(model, text, tokens, scores)
  local ids, spans, words = tokens.ids:totable(), tokens.spans:totable(), {}
  for i, span in ipairs(spans) do
    local word = words[#words]
    if span[2] > span[1] then
      if not word or not model.tokenizer:continues(ids[i]) then
        word = { first = span[1] + 1, last = span[2], score = 0 }
        words[#words + 1] = word
      end
      word.last = math.max(word.last, span[2])
      word.score = word.score + scores[i]
    end
  end
  for _, word in ipairs(words) do
    word.text = text:sub(word.first, word.last)
  end
  return words
end

-- }========

-- {======== explaining ========

local function class_of(model, label)
  for i, name in ipairs(model.labels) do
    if name == label then return i end
  end
  error(("explain: label: expected one of %s, got %s")
    :format(table.concat(model.labels, ", "), tostring(label)), 0)
end

local function explain_text(model, text, class)
  local tokens = model.tokenizer:encode({ text },
    { max_length = model.max_length, spans = true, count_truncated = true })
  local path = path_of(model, tokens, class)
  local scores, off = integrate(path)
  return {
    label = model.labels[path.class], score = path.f_text,
    baseline = path.f_baseline, words = words_of(model, text, tokens, scores),
    completeness = off, complete = off <= TOLERANCE,
    truncated = tokens.truncated,
  }
end

-- Calls a function while gradients go to word vectors alone: parameters are
-- constants. Afterwards all is as it was.
local function with_constants(model, f, ...)
  local encoder, learning = model.encoder, {}
  local training, precision = encoder.training, encoder.precision
  for _, p in ipairs(model:parameters()) do
    if p.tensor:requires_grad() then learning[#learning + 1] = p.tensor end
  end
  for _, t in ipairs(learning) do t:requires_grad(false) end
  encoder:set_precision "fp32"
  model:train(false)
  local ok, result = pcall(grad.enable_grad, f, model, ...)
  model:train(training)
  encoder:set_precision(precision)
  for _, t in ipairs(learning) do t:requires_grad(true) end
  if not ok then error(result, 0) end
  return result
end

--- How much each word of a text speaks for a label, or against it.
-- @function explain
-- @tparam classifier model
-- @string text
-- @tparam[opt] table given
-- @string[opt] given.label the predicted one when not given; of a multi-label
--   model the likeliest
-- @treturn table
--
--  * `label`, and `score`: its probability
--  * `baseline`: its probability for the text with padding in place of words
--  * `words`: `{ text =, first =, last =, score = }` in the text's order;
--    `text:sub(first, last)` is the word. What belongs to no word has none:
--    spaces, and what max_length cut off
--  * `completeness`: how far the scores may be from their sum, `score -
--    baseline`, as a share of it; where that is below 0.0001, of 0.0001
--  * `complete`: whether that is at most 0.01. Where it is not, which takes a
--    probability that jumps, the scores are only roughly right
--  * `truncated`: how many tokens max_length cut off
-- @raise when the text is no string, or the model has no such label, or none
--   at all (a regression)
-- @usage local found = model:explain("What a quiet, lovely film.")
-- for _, word in ipairs(found.words) do print(word.score, word.text) end
return function(model, text, given)
  local o = options.check(given, KNOWN, "explain")
  check.classifier(model, "explain: model")
  check.string(text, "explain: text")
  if not model.problem.probabilities then
    error("explain: a regression has no label whose probability could be "
      .. "explained", 0)
  end
  local class = o.label ~= nil and class_of(model, o.label) or nil
  return with_constants(model, explain_text, text, class)
end
