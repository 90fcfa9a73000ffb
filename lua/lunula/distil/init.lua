--- Distillation: a small model learns from the answers of a large one, or of
-- several (Hinton, Vinyals & Dean 2015, "Distilling the Knowledge in a Neural
-- Network", https://arxiv.org/abs/1503.02531).
--
--    local rows = lunula.distil.scores(teacher, parts.train)
--    lunula.distil.student(teacher, { layers = 3, output = "small" })
--    local model = lunula.classifier "small"
--    lunula.train(model, rows, { distillation_weight = 0.5 })
--
-- What a teacher says of a row is the row's `scores`: label to probability.
-- @module lunula.distil

local check = require "lunula.check"
local descent = require "lunula.train.descent"
local jsonl = require "lunula.data.jsonl"
local labels = require "lunula.labels"
local lines = require "lunula.data.lines"
local options = require "lunula.options"

local distil = {}

local AT_ONCE = 512  -- texts between two looks at Ctrl-C

local none = options.none
local KNOWN = { batch_size = none, batch_tokens = none, truncation = "head",
  on_progress = none }

-- {======== rows ========

local function with_scores(row, scores)
  local copy = {}
  for name, value in pairs(row) do copy[name] = value end
  copy.scores = scores
  return copy
end

local function check_texts(rows, what)
  if type(rows) ~= "table" or #rows == 0 then
    error(what .. ": no rows", 0)
  end
  for i, row in ipairs(rows) do
    if type(row) ~= "table" then
      error(("%s: row %d: expected a table with a text, got a %s"):format(
        what, i, type(row)), 0)
    elseif type(row.text) ~= "string" then
      error(("%s: text: expected a string, got %s"):format(
        labels.place(rows, i, what), type(row.text)), 0)
    end
  end
end

-- }========

-- {======== models ========

local function teachers_of(given)
  local list = type(given) == "table" and given.predict and { given } or given
  check.table(list, "distil.scores: teacher")
  if #list == 0 then error("distil.scores: no teacher", 0) end
  for i, teacher in ipairs(list) do
    if type(teacher) ~= "table" or type(teacher.predict) ~= "function" then
      error(("distil.scores: teacher %d: expected a classifier, got a %s")
        :format(i, type(teacher)), 0)
    elseif teacher.problem and not teacher.problem.is_single then
      error(("distil.scores: teacher %d: not for %s"):format(i,
        teacher.problem.name), 0)
    end
  end
  return list
end

local function names(teacher)
  local list = labels.distinct(teacher.labels)
  return table.concat(list, ", ")
end

local function check_agree(teachers)
  for i = 2, #teachers do
    if names(teachers[i]) ~= names(teachers[1]) then
      error(("distil.scores: teacher %d has the labels %s, the first %s")
        :format(i, names(teachers[i]), names(teachers[1])), 0)
    end
  end
end

local function column(rows, field, first, last)
  local values = {}
  for i = first, last do values[#values + 1] = rows[i][field] end
  return values
end

-- The mean of what teachers say of rows first .. last.
local function ask(teachers, rows, first, last, how)
  local given, texts = {}, column(rows, "text", first, last)
  for name, value in pairs(how) do given[name] = value end
  if rows[first].text_pair ~= nil then
    given.text_pairs = column(rows, "text_pair", first, last)
  end
  local all = {}
  for _, teacher in ipairs(teachers) do
    for i, prediction in ipairs(teacher:predict(texts, given)) do
      all[i] = all[i] or {}
      for label, p in pairs(prediction.scores) do
        all[i][label] = (all[i][label] or 0) + p / #teachers
      end
    end
  end
  return all
end

--- Asks a teacher, or several, of which the mean counts.
-- @tparam classifier|{classifier,...} teacher of the same labels each
-- @tparam {table,...} rows with `text`, and `text_pair` where they are pairs
-- @tparam[opt] table given
-- @int[opt] given.batch_size as for `classifier:predict`, and so are
--   `batch_tokens` and `truncation`
-- @func[opt] given.on_progress called with the rows done and all
-- @treturn {table,...} copies of the rows, with `scores`
-- @raise when rows are no texts, or teachers have other labels
-- @usage local rows = lunula.distil.scores({ one, other }, parts.train)
-- lunula.train(student, rows, { distillation_weight = 0.5 })
function distil.scores(teacher, rows, given)
  local o = options.check(given, KNOWN, "distil.scores")
  local teachers, scored = teachers_of(teacher), {}
  check_agree(teachers)
  check_texts(rows, "distil.scores")
  local told = o.on_progress or function() end
  o.on_progress = nil
  for first = 1, #rows, AT_ONCE do
    local last = math.min(first + AT_ONCE - 1, #rows)
    descent.check_interrupt()
    for i, scores in ipairs(ask(teachers, rows, first, last, o)) do
      scored[first + i - 1] = with_scores(rows[first + i - 1], scores)
    end
    told(last, #rows)
  end
  return scored
end

-- }========

-- {======== files ========

local function key_of(row)
  return row.text_pair and row.text .. "\0" .. row.text_pair or row.text
end

local function check_scores(input, scores)
  if type(scores) ~= "table" or next(scores) == nil then
    input:fail(input.number, "no 'scores' in this object, such as {\"good\": "
      .. "0.9, \"bad\": 0.1}")
  end
  for label, p in pairs(scores) do
    if type(label) ~= "string" or type(p) ~= "number" or p < 0 or p > 1 then
      input:fail(input.number, "scores: '%s': expected a probability, got %s",
        tostring(label), tostring(p))
    end
  end
  return scores
end

-- Scores by text. Of a text that comes twice, the first answer counts.
local function answers_of(input)
  local answers, line = {}, input:next()
  while line do
    if line:find "%S" then
      local object = jsonl.object(input, line)
      if type(object.text) ~= "string" then
        input:fail(input.number, "no 'text' in this object")
      end
      local pair = type(object.text_pair) == "string" and object.text_pair
      local key = key_of { text = object.text, text_pair = pair or nil }
      answers[key] = answers[key] or check_scores(input, object.scores)
    end
    line = input:next()
  end
  return answers
end

--- Takes a teacher's answers from a file, as `lunula predict` writes it: in
-- each line an object with `text` and `scores` (and `text_pair`, of pairs).
-- Answers are found by the text; those of other texts are left out.
-- @tparam {table,...} rows
-- @string file
-- @treturn {table,...} copies of the rows, with `scores`
-- @raise with file and line, when one is no such object; naming a row that the
--   file has no answer for
-- @usage local rows = lunula.distil.read(parts.train, "answers.jsonl")
function distil.read(rows, file)
  check_texts(rows, "distil.read")
  local handle, why = io.open(check.path(file, "distil.read"), "rb")
  if not handle then error(why, 0) end
  local ok, answers = pcall(answers_of, lines.of(handle, file))
  handle:close()
  if not ok then error(answers, 0) end
  local scored = {}
  for i, row in ipairs(rows) do
    local scores = answers[key_of(row)]
    if not scores then
      error(("%s: %s has no answer for this text"):format(
        labels.place(rows, i, "distil.read"), file), 0)
    end
    scored[i] = with_scores(row, scores)
  end
  return scored
end

-- }========

--- Makes a student's folder: see `lunula.distil.student`.
-- @function distil.student
-- @see lunula.distil.student
distil.student = require "lunula.distil.student"

return distil
