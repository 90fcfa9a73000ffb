--- What only people know of a model and its data: questions, and the answers
-- that stand in a file `data.json`.
--
-- The questions are those of model cards (Mitchell et al. 2019, "Model Cards
-- for Model Reporting", https://arxiv.org/abs/1810.03993) and of datasheets
-- (Gebru et al. 2021, "Datasheets for Datasets",
-- https://arxiv.org/abs/1803.09010), in the order in which they are asked.
--
-- An answer is a text or an array of texts. In the file a name has its answer,
-- or an object `{ "question": ..., "answer": ... }`, as the empty form has it.
-- What is empty is not answered, and what is not answered is unknown: a card
-- says so, in the words of `unknown`.
-- @module lunula.card.form

local core = require "lunula.core"
local json = require "lunula.json"

local form = {}

--- The questions: `{ name =, section =, title =, question =, unknown = }`.
form.QUESTIONS = {
  -- the model
  { name = "model_name", section = "model", title = "Name",
    question = "What is the model called?" },
  { name = "model_licence", section = "model", title = "Licence",
    question = "Under which licence is the model given away? An SPDX name, "
      .. "such as apache-2.0, where there is one.",
    unknown = "under which licence the model is given away" },
  { name = "developers", section = "model", title = "Made by",
    question = "Who made the model?", unknown = "who made the model" },
  { name = "funding", section = "model", title = "Paid for by",
    question = "Who paid for the model and its data?",
    unknown = "who paid for it" },
  { name = "intended_uses", section = "uses", title = "Intended uses",
    question = "What is the model made for, and for whom?",
    unknown = "what the model is made for" },
  { name = "out_of_scope_uses", section = "uses", title = "Out of scope",
    question = "What must it not be used for?",
    unknown = "what it must not be used for" },
  { name = "factors", section = "uses", title = "Groups and circumstances",
    question = "For which groups of people, kinds of text or circumstances "
      .. "may it work better or worse?",
    unknown = "for which groups or kinds of text it may work worse" },
  { name = "limitations", section = "risks", title = "Limitations",
    question = "What is known to go wrong?",
    unknown = "what is known to go wrong" },
  { name = "ethical_considerations", section = "risks",
    title = "Ethical considerations",
    question = "Whom could its mistakes, or its use, harm, and what was done "
      .. "about it?",
    unknown = "whom its mistakes could harm" },
  { name = "recommendations", section = "risks", title = "Recommendations",
    question = "What should who uses it look after?",
    unknown = "what who uses it should look after" },

  -- the data
  { name = "name", section = "data", title = "Name",
    question = "What is the data set called?",
    unknown = "what the data set is called" },
  { name = "hub_name", section = "data", title = "On the Hugging Face hub",
    question = "Its name on the Hugging Face hub (owner/name), where it is "
      .. "there." },
  { name = "language", section = "data", title = "Language",
    question = "Which languages are the texts in? ISO 639 codes, such as en.",
    unknown = "which language the texts are in" },
  { name = "motivation", section = "data", title = "Purpose",
    question = "For what was the data set made, and by whom?",
    unknown = "for what the data set was made" },
  { name = "instances", section = "data", title = "What a row is",
    question = "What does a row stand for (a review, a message, a sentence)?",
    unknown = "what a row stands for" },
  { name = "source", section = "data", title = "Source",
    question = "Where do the texts come from?",
    unknown = "where the texts come from" },
  { name = "collected", section = "data", title = "Collected",
    question = "When and how were they collected, and how were these chosen "
      .. "among others?",
    unknown = "when and how the texts were collected" },
  { name = "annotators", section = "data", title = "Annotators",
    question = "Who labelled the texts, and how were they paid?",
    unknown = "who labelled the texts" },
  { name = "annotation", section = "data", title = "Annotation",
    question = "By which rules were they labelled, how far did annotators "
      .. "agree, and what does each label mean?",
    unknown = "by which rules the texts were labelled" },
  { name = "preprocessing", section = "data", title = "Preprocessing",
    question = "What was changed or left out before training?",
    unknown = "what was changed or left out before training" },
  { name = "splits", section = "data", title = "Splits",
    question = "How were validation and test texts set apart?",
    unknown = "how validation and test texts were set apart" },
  { name = "known_gaps", section = "data", title = "Known gaps",
    question = "What is missing from the data: groups, kinds of text, times?",
    unknown = "what is missing from the data" },
  { name = "sensitive_content", section = "data", title = "Sensitive content",
    question = "Is there offensive or otherwise sensitive content in it?",
    unknown = "whether there is sensitive content in the data" },
  { name = "licence", section = "rights", title = "Licence of the data",
    question = "Under which licence may the data be used?",
    unknown = "under which licence the data may be used" },
  { name = "consent", section = "rights", title = "Consent",
    question = "Did the authors of the texts agree to this use, and can they "
      .. "withdraw?",
    unknown = "whether the authors of the texts agreed to this use" },
  { name = "personal_data", section = "rights", title = "Personal data",
    question = "Which personal data are in the texts, and how were they "
      .. "protected?",
    unknown = "which personal data are in the texts" },
  { name = "distribution", section = "rights", title = "Distribution",
    question = "Can others have the data, and where?",
    unknown = "whether others can have the data" },

  -- both
  { name = "maintenance", section = "contact", title = "Maintenance",
    question = "Who looks after model and data, and how are mistakes mended?",
    unknown = "who looks after model and data" },
  { name = "contact", section = "contact", title = "Contact",
    question = "Where can questions be sent?",
    unknown = "where questions can be sent" },
  { name = "citation", section = "contact", title = "Citation",
    question = "How should the work be cited?",
    unknown = "how the work should be cited" },
}

local BY_NAME, NAMES = {}, {}
for i, question in ipairs(form.QUESTIONS) do
  BY_NAME[question.name], NAMES[i] = question, question.name
end

-- {======== reading ========

local function fail(what, message, ...)
  error(what .. ": " .. message:format(...), 0)
end

local function check_known(name, what)
  if BY_NAME[name] then return end
  fail(what, "unknown field '%s'; known: %s", tostring(name),
    table.concat(NAMES, ", "))
end

-- the answer of what an empty form has been filled in with
local function unwrapped(value, name, what)
  if type(value) ~= "table" or value[1] ~= nil
      or value.question == nil and value.answer == nil then
    return value
  end
  for key in pairs(value) do
    if key ~= "question" and key ~= "answer" then
      fail(what, "%s: unknown field '%s'; known: answer, question", name,
        tostring(key))
    end
  end
  return value.answer
end

local function is_empty(text)
  return not text:find "%S"
end

local function listed(value, name, what)
  local list = {}
  for key, text in pairs(value) do
    if type(key) ~= "number" or type(text) ~= "string" then
      fail(what, "%s: expected a text or an array of texts", name)
    end
  end
  for _, text in ipairs(value) do
    if not is_empty(text) then list[#list + 1] = text end
  end
  return list[1] and list or nil
end

local function answer(value, name, what)
  value = unwrapped(value, name, what)
  if value == nil or value == json.null then return nil end
  if type(value) == "table" then return listed(value, name, what) end
  if type(value) ~= "string" then
    fail(what, "%s: expected a text or an array of texts, got a %s", name,
      type(value))
  end
  return not is_empty(value) and value or nil
end

--- Checks answers.
-- @tparam table given by the name of the question
-- @string what where they stand, for messages
-- @treturn table those that are not empty, by name
-- @raise naming a field that is unknown, or no text
function form.check(given, what)
  if type(given) ~= "table" or given[1] ~= nil then
    fail(what, "expected an object of answers")
  end
  local answers = {}
  for name, value in pairs(given) do
    check_known(name, what)
    answers[name] = answer(value, name, what)
  end
  return answers
end

-- }========

--- The empty form, a text of JSON in the order of the questions.
-- @treturn string
-- @usage io.write(require("lunula.card.form").empty())
function form.empty()
  local fields = {}
  for i, question in ipairs(form.QUESTIONS) do
    fields[i] = ('  %s: {\n    "question": %s,\n    "answer": ""\n  }'):format(
      json.encode(question.name), json.encode(question.question))
  end
  return "{\n" .. table.concat(fields, ",\n") .. "\n}\n"
end

--- Writes the empty form.
-- @string path
-- @bool[opt=false] force over what is there
-- @raise when there is a file of this name, or it can't be written
-- @usage lunula.card.template "data.json"
function form.write(path, force)
  if not force and core.io.stat(path) then
    fail(path, "is there already; another name, or --force")
  end
  core.io.write(path, { form.empty() })
end

--- The questions of a section.
-- @string section
-- @treturn {table,...}
function form.of(section)
  local some = {}
  for _, question in ipairs(form.QUESTIONS) do
    if question.section == section then some[#some + 1] = question end
  end
  return some
end

return form
