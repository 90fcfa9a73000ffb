--- Learning from a few examples, beside SetFit (Tunstall et al. 2022) where
-- PyPI's `setfit` is installed: PYTHON names the interpreter that has it.
--
-- usage: lua5.4 spec/peers/few_shot.lua MODEL TRAIN TEST [key=value ...]
--
--   text=text label=label   the columns
--   shots=8                 examples of each label, drawn from TRAIN
--   seeds=1-10              of the draws, and of the training
--   peer_seeds=1-10         those that SetFit learns from too
--   iterations=             of SetFit, 20 in its paper; its package's own
--                           default when not given
--   precision=fp32          of lunula's training, or bf16
--   epochs=                 of lunula's, 0 for a head on the encoder as it is
--   threads=                of both
--   folder=                 where the examples are left; a temporary one
--
-- For each seed both learn from the same examples, one after the other, and
-- are judged by TEST. Seconds are those of the training alone, without
-- loading; those of the processor say more where it has other work too.

local core = require "lunula.core"
local data = require "lunula.data"
local evaluate = require "lunula.evaluate"
local few_shot = require "lunula.few_shot"
local peers = require "spec.peers.peers"
local sampler = require "lunula.sampler"

local function range(text)
  local first, last = text:match "^(%d+)%-(%d+)$"
  return tonumber(first or text), tonumber(last or text)
end

local function options_of(words)
  local o = { text = "text", label = "label", shots = "8", seeds = "1-10",
    precision = "fp32", threads = tostring(core.threads()) }
  for i = 4, #words do
    local key, value = words[i]:match "^([%w_]+)=(.*)$"
    o[key or error("what is " .. words[i] .. "?", 0)] = value
  end
  o.peer_seeds = o.peer_seeds or o.seeds
  return o
end

-- the first rows of each label, in an order that the seed decides
local function draw(rows, shots, seed)
  local drawn, count = {}, {}
  for _, i in ipairs(sampler.order(#rows, { seed = seed })) do
    local row = rows[i]
    count[row.label] = (count[row.label] or 0) + 1
    if count[row.label] <= shots then drawn[#drawn + 1] = row end
  end
  return drawn
end

local function ours(model, examples, test, seed, o)
  local made, result = few_shot(model, examples, { seed = seed,
    precision = o.precision, epochs = tonumber(o.epochs) })
  return { evaluate(made, test).accuracy, result.train_seconds,
    result.processor_seconds }
end

local function theirs(model, path, test, o)
  local words = peers.output_of(("HF_HUB_OFFLINE=1 OMP_NUM_THREADS=%s %s "
    .. "spec/peers/few_shot.py '%s' '%s' '%s' text label --threads %s "
    .. "%s 2>/dev/null"):format(o.threads, peers.python, model, path, test,
    o.threads, o.iterations and "--iterations " .. o.iterations or ""))
  local figures = {}
  for word in (words or ""):gmatch "%S+" do
    figures[#figures + 1] = tonumber(word)
  end
  return #figures == 3 and figures or error("few_shot.py failed", 0)
end

local function mean_of(list, column)
  local sum = 0
  for _, figures in ipairs(list) do sum = sum + figures[column] end
  return sum / #list
end

local function deviation(list, column)
  local mean, sum = mean_of(list, column), 0
  for _, figures in ipairs(list) do sum = sum + (figures[column] - mean) ^ 2 end
  return math.sqrt(sum / math.max(1, #list - 1))
end

local function show(name, list)
  if #list == 0 then return end
  print(("%-8s %5d %9.2f %9.2f %9.2f %9.2f"):format(name, #list,
    100 * mean_of(list, 1), 100 * deviation(list, 1), mean_of(list, 2),
    mean_of(list, 3)))
end

local function tell(name, seed, figures)
  io.stderr:write(("%-8s seed %d: %.2f %%, %.2f s, %.2f s of processor\n")
    :format(name, seed, 100 * figures[1], figures[2], figures[3]))
end

local function main(model, train, test, o)
  core.threads(tonumber(o.threads))
  local columns = { text = o.text, label = o.label }
  local rows, tests = data.read(train, columns), data.read(test, columns)
  local folder = o.folder or os.tmpname()
  os.remove(folder)
  core.io.make_folder(folder)
  peers.write(folder .. "/test.csv", { "text", "label" }, tests)
  local from, to = range(o.peer_seeds)
  local first, last = range(o.seeds)
  local a, b = {}, {}
  for seed = first, last do
    local path = ("%s/examples-%d.csv"):format(folder, seed)
    local examples = draw(rows, tonumber(o.shots), seed)
    peers.write(path, { "text", "label" }, examples)
    a[#a + 1] = ours(model, examples, tests, seed, o)
    tell("lunula", seed, a[#a])
    if seed >= from and seed <= to and peers.has { "setfit" } then
      b[#b + 1] = theirs(model, path, folder .. "/test.csv", o)
      tell("setfit", seed, b[#b])
    end
  end
  print(("%-8s %5s %9s %9s %9s %9s"):format("", "seeds", "mean, %", "sd, %",
    "seconds", "processor"))
  show("lunula", a)
  show("setfit", b)
end

main(arg[1], arg[2], arg[3], options_of(arg))
