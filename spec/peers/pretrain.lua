--- Masked-language modelling beside transformers' BertForMaskedLM: the same
-- weights, batches and masks, no dropout; how far the losses are apart, and the
-- tokens a second of each.
-- usage: lua5.4 spec/peers/pretrain.lua TEXTS [STEPS [COLUMN]]
--            [PYTHON=path of a python that has torch and transformers]

local checkpoint = require "lunula.checkpoint"
local core = require "lunula.core"
local hub = require "lunula.hub"
local json = require "lunula.json"
local masked_lm = require "lunula.pretrain.model"
local optim = require "lunula.optim"
local peers = require "spec.peers.peers"
local sampler = require "lunula.sampler"
local texts = require "lunula.pretrain.texts"

local FILE, STEPS, COLUMN = arg[1], tonumber(arg[2] or 20), arg[3]
local LEARNING_RATE, SEED, BATCH = 1e-4, 1, 32

local function batches_of(model)
  local prepared = texts.new(model, texts.rows(FILE, FILE, { text = COLUMN }),
    FILE, { max_length = 128, masking = 0.15, seed = SEED })
  local list = {}
  for i, numbers in ipairs(sampler.batches(#prepared.lengths,
      { batch_size = BATCH, seed = SEED, epoch = 1 })) do
    if i > STEPS then break end
    list[i] = prepared:batch(numbers, 1)
  end
  return list
end

local function write(path, batches)
  local file = assert(io.open(path, "w"))
  for _, batch in ipairs(batches) do
    local plain = {}
    for _, name in ipairs { "ids", "offsets", "positions", "targets" } do
      plain[name] = batch[name]:totable()
    end
    file:write(json.encode(plain), "\n")
  end
  file:close()
end

-- the losses, and the tokens a second of all steps but the first
local function learn(folder, batches, precision)
  local model = masked_lm.from(checkpoint.read(folder), SEED)
  model:set_dropout(0):train(true).encoder:set_precision(precision)
  local optimizer = optim.adamw(model,
    { learning_rate = LEARNING_RATE, weight_decay = 0.01 })
  local losses, tokens, begun = {}, 0, nil
  for i, batch in ipairs(batches) do
    local loss = model:loss(batch)
    loss:backward()
    optimizer:clip(1)
    optimizer:step()
    losses[i] = loss:item()
    tokens = begun and tokens + #batch.ids or 0
    begun = begun or core.system.monotonic()
  end
  return losses, tokens / (core.system.monotonic() - begun)
end

local function apart(a, b)
  local most = 0
  for i, x in ipairs(a) do most = math.max(most, math.abs(x - b[i])) end
  return most
end

local folder = peers.output_of "mktemp -d":gsub("\n", "")
local model = masked_lm.from(checkpoint.read(
  hub.fetch("all-MiniLM-L6-v2").path), SEED)
model:save(folder)
local batches = batches_of(model)
write(folder .. "/batches.jsonl", batches)
for _, precision in ipairs { "fp32", "bf16" } do
  local losses, speed = learn(folder, batches, precision)
  print(("lunula, %s: %.0f tokens/s, loss %.4f to %.4f"):format(precision,
    speed, losses[1], losses[#losses]))
  local peer = peers.figures(("%s spec/peers/pretrain.py %s %s %g 2>/dev/null")
    :format(peers.python, folder, precision, LEARNING_RATE))
  print(("transformers, %s: %.0f tokens/s; losses at most %.2g apart"):format(
    precision, peer.tokens_per_second, apart(losses, peer.losses)))
end
os.execute("rm -rf " .. folder)
