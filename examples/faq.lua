--- Answers a customer's question by the most similar one of a shop's FAQ.
-- usage: lua5.4 examples/faq.lua [QUESTION [MODEL]]
-- Without a question it answers a few of its own. MODEL is a folder or a name;
-- all-MiniLM-L6-v2 is fetched once.

local lunula = require "lunula"

local MODEL = arg[2] or "all-MiniLM-L6-v2"
local LEAST = 0.35  -- cosine below which nothing is similar; try your own

-- each answer with questions that it answers, as customers put them
local FAQ = {
  { answer = "You can pay by card, by bank transfer, or on delivery.",
    "How can I pay?", "Which credit cards do you accept?" },
  { answer = "Parcels arrive two to four days after you order.",
    "How long does delivery take?", "When will my parcel be here?" },
  { answer = "Follow your parcel at shop.example/track with the number in "
      .. "our e-mail.",
    "Where is my order now?", "How do I track my parcel?" },
  { answer = "Send it back within 30 days; you find the label in the box.",
    "How do I return something?", "It is the wrong size, too large." },
  { answer = "We refund you within a week of getting the parcel back.",
    "When do I get my money back?", "Where is my refund?" },
  { answer = "Change it under My account, Password.",
    "I forgot my password.", "I cannot log in." },
  { answer = "The shop is open from nine to six, except on Sundays.",
    "When are you open?", "Can I come to your shop on Saturday?" },
  { answer = "Write to us within two hours and we cancel it at no cost.",
    "How do I cancel my order?", "I ordered the wrong thing." },
}

local ASKED = {
  "tell me where my package is",
  "these shoes are too small!",
  "do you accept Visa",
  "What is the capital of France?",
}

-- one vector for each question; what is found is the entry that it is of
local function index_of(embedder)
  local questions, entries = {}, {}
  for _, entry in ipairs(FAQ) do
    for _, question in ipairs(entry) do
      questions[#questions + 1] = question
      entries[#entries + 1] = { question = question, answer = entry.answer }
    end
  end
  return lunula.search.new(embedder:encode(questions), entries)
end

local function answer(index, embedder, question)
  local best = index:query(question, 1, embedder)[1]
  print("> " .. question)
  if best.score < LEAST then
    print(("  I pass this on to a colleague. (nearest: %.2f, %s)\n")
      :format(best.score, best.item.question))
    return
  end
  print("  " .. best.item.answer)
  print(("  (%.2f, as: %s)\n"):format(best.score, best.item.question))
end

local embedder = lunula.embedder(MODEL)
local index = index_of(embedder)
for _, question in ipairs(arg[1] and { arg[1] } or ASKED) do
  answer(index, embedder, question)
end
