--- Trainings that are killed, and go on.
local checkpoint = require "lunula.checkpoint"
local core = require "lunula.core"
local json = require "lunula.json"
local run = require "spec.support.run"
local safetensors = require "lunula.safetensors"
local shell = require "lunula.shell"
local tiny = require "spec.support.tiny"

local killed = {}

local function write_rows(path, rows)
  local lines = {}
  for i, row in ipairs(rows) do lines[i] = json.encode(row) .. "\n" end
  core.io.write(path, lines)
end

-- what is said of the texts to learn from
local TEXTS = {
  train = { "--metric=loss", "--train" }, pretrain = { "--texts" },
}

local function words(name, dir, output)
  local all = { name, "--model", dir .. "/encoder", "--validation",
    dir .. "/validation.jsonl", "--output", output, "--epochs=3",
    "--batch-size=4", "--seed=5", "--learning-rate=0.003",
    "--checkpoint-every=3", "--validate-every=4", "--dropout=0.2",
    "--threads=2", "--resume" }
  for _, word in ipairs(TEXTS[name]) do all[#all + 1] = word end
  all[#all + 1] = dir .. "/train.jsonl"
  return all
end

local function prepare()
  local dir, rows = tiny.temporary(), tiny.reviews(80)
  local validation = {}
  for i = 1, 16 do validation[i] = table.remove(rows) end
  tiny.write_encoder(dir .. "/encoder")
  write_rows(dir .. "/train.jsonl", rows)
  write_rows(dir .. "/validation.jsonl", validation)
  return dir
end

-- what stands in a folder, whenever the training was killed; raises what can't
-- be read
local function look(folder)
  local state = folder .. "/training_state.safetensors"
  if core.io.stat(state) then safetensors.read(state) end
  if core.io.stat(folder .. "/config.json")
    or core.io.stat(folder .. "/.lunula-saved") then
    return checkpoint.read(folder)
  end
end

local function bits(folder)
  local sums = {}
  for name, t in pairs(look(folder).tensors) do
    sums[#sums + 1] = name .. " " .. t:checksum()
  end
  table.sort(sums)
  return table.concat(sums, "\n")
end

-- Runs the command; true when it came to its end before it was killed.
local function run_for(name, dir, folder, seconds)
  local all = { "timeout", "-s", "KILL", ("%.3f"):format(seconds) }
  for _, word in ipairs(run.command(words(name, dir, folder))) do
    all[#all + 1] = word
  end
  local _, code = shell.run(all)
  return code == 0
end

--- Kills a training that often, at random moments, and lets it go on; one that
-- came to its end is begun again in another folder.
-- @int times
-- @string name of the command, train or pretrain
-- @treturn string "8 kills" when each ended with the bits of one that was let
--   alone; else what was wrong
function killed.often(times, name)
  local dir, rng, kills, ends = prepare(), core.rng(times), 0, 0
  local begun = core.system.monotonic()
  assert(run_for(name, dir, dir .. "/whole", 600), "it fails by itself")
  local seconds = core.system.monotonic() - begun
  local whole, folder = bits(dir .. "/whole"), dir .. "/0"
  while kills < times or ends == 0 do
    local limit = kills < times and seconds * rng:float() or 600
    if run_for(name, dir, folder, limit) then
      if bits(folder) ~= whole then return folder .. " ended otherwise" end
      ends = ends + 1
      folder = dir .. "/" .. ends
    else
      kills = kills + 1
      look(folder)
    end
  end
  tiny.remove(dir)
  return ("%d kills"):format(kills)
end

return killed
