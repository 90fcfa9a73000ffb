--- Whether peft answers as lunula does with an adapter that lunula trained.
--
--    PYTHON=... lua5.4 spec/peers/lora.lua BASE [TRAIN.csv]
--
-- BASE is a folder with two labels or none; the CSV has the columns text and
-- label, of which there are two. Without it a few sentences are enough. Prints
-- the largest difference of any logit; fails when it is not below 1e-4. (The
-- other way round is spec/lora_spec.lua, with what peft saved.)

local classifier = require "lunula.classifier"
local data = require "lunula.data"
local json = require "lunula.json"
local labels = require "lunula.labels"
local peers = require "spec.peers.peers"
local shell = require "lunula.shell"
local tiny = require "spec.support.tiny"
local train = require "lunula.train"

local BASE, FILE = arg[1] or error("usage: lora.lua BASE [TRAIN.csv]", 0),
  arg[2]
local STEPS, TEXTS = 40, 64

local function furthest(a, b)
  local far = 0
  for i, row in ipairs(a) do
    for j, value in ipairs(row) do
      far = math.max(far, math.abs(value - b[i][j]))
    end
  end
  return far
end

local function theirs(folder, rows)
  peers.write(folder .. "/texts.csv", { "text" }, rows)
  local command = ("%s spec/peers/lora.py '%s' '%s' '%s/texts.csv' 2>%s")
    :format(peers.python, BASE, folder, folder, "/dev/null")
  return json.decode(peers.output_of(command) or error("failed: " .. command,
    0), command)
end

local function ours(model, rows)
  local texts = {}
  for i, row in ipairs(rows) do texts[i] = row.text end
  local batch = model.tokenizer:encode(texts, { max_length = 128 })
  return model:infer(model.forward, model, batch):totable()
end

local rows = FILE and data.read(FILE) or tiny.reviews(256)
local model = classifier(BASE, { labels = labels.of(rows), seed = 1 })
local result = train(model, rows, { tune = "lora", max_steps = STEPS,
  learning_rate = 1e-3, lora_modules = { "query", "value", "output.dense" } })
print(("%d steps: loss %.4f to %.4f"):format(STEPS, result.steps[1].loss,
  result.steps[STEPS].loss))
local folder, some = tiny.temporary(), {}
for i = 1, math.min(TEXTS, #rows) do some[i] = rows[i] end
model:save_adapter(folder)
local far = furthest(ours(model, some), theirs(folder, some))
shell.run { "rm", "-r", folder }
print(("the furthest of %d logits: %g"):format(2 * #some, far))
assert(far < 1e-4, "peft answers otherwise")
