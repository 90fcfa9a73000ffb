--- Labels that count: a model asks for the labels that teach it most.
-- usage: lua5.4 examples/active.lua LABELLED.csv POOL.csv [TEST.csv [MODEL]]
--
-- Learns from LABELLED, chooses texts of POOL, asks which label each has,
-- adds them to LABELLED, and so on; an empty answer ends it. Where POOL has a
-- column label, that answers for you: a simulation, to see what the next
-- hundred labels would be worth. TEST, where there is one, says how good the
-- model is after each round. Environment: ROUNDS (5), COUNT (16) of texts a
-- round, STRATEGY (margin, entropy, coreset, random), EPOCHS, SEED.

local lunula = require "lunula"
local csv = require "lunula.data.csv"

local LABELLED, POOL, TEST = arg[1], arg[2], arg[3]
local MODEL = arg[4] or "all-MiniLM-L6-v2"
local STRATEGY = os.getenv "STRATEGY" or "margin"

local function number(name, otherwise)
  return tonumber(os.getenv(name) or otherwise)
end

local SEED = number("SEED", 0)

-- Rows, with their labels where the file has such a column.
local function read(path)
  local ok, rows = pcall(lunula.data.read, path)
  if ok then return rows, true end
  return lunula.data.read(path, { label = false }), false
end

local labelled = lunula.data.read(LABELLED)
local pool, has_oracle = read(POOL)
local test = TEST and TEST ~= "" and lunula.data.read(TEST)
local numbers = {}  -- what may be typed for a label

local function learn()
  local model = lunula.few_shot(MODEL, labelled,
    { seed = SEED, epochs = number "EPOCHS" })
  numbers = model.labels
  return model
end

local function show_labels()
  for i, label in ipairs(numbers) do io.write(i, " ", label, "   ") end
  print "(a number, or a new label; nothing to end)"
end

-- The label of a row; nil when whoever is asked has enough.
local function ask(row)
  if has_oracle then return row.label end
  io.write("\n", row.text, "\n> ")
  io.flush()
  local answer = io.read "*l"
  if not answer or answer == "" then return nil end
  return numbers[tonumber(answer)] or answer
end

-- Each answer is on the disk before the next question.
local function keep(row)
  labelled[#labelled + 1] = row
  if has_oracle then return end
  local lines = { csv.line { "text", "label" } }
  for i, r in ipairs(labelled) do
    lines[i + 1] = csv.line { r.text, r.label }
  end
  lunula.core.io.write(LABELLED, { table.concat(lines, "\n"), "\n" })
end

local function tell(model)
  local line = ("%4d labels"):format(#labelled)
  if test then
    line = ("%s: accuracy %.2f %%"):format(line,
      100 * lunula.evaluate(model, test).accuracy)
  end
  print(line)
end

for _ = 1, number("ROUNDS", 5) do
  local model = learn()
  tell(model)
  if not has_oracle then show_labels() end
  for _, row in ipairs(lunula.active.select(model, pool, { seed = SEED,
      strategy = STRATEGY, count = number("COUNT", 16),
      labelled = labelled })) do
    local label = ask(row)
    if not label then return print("saved " .. LABELLED) end
    keep({ text = row.text, label = label })
  end
end
tell(learn())
