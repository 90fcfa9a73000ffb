--- What an audit of a million rows costs: seconds and memory.
--   lua5.4 spec/peers/audit_million.lua FILE.csv [ROWS]
-- With every check that needs no model, near-duplicates included; then the
-- reading alone, which is part of it.
-- FILE is made where it is not there: sentences of about 20 words that come
-- as often as words do (Zipf), 5 in 100 of them again, half of those with a
-- word changed. It takes 130 MB; the same rows each time.

local core = require "lunula.core"
local data = require "lunula.data"

local VOCABULARY, AGAIN = 200000, 20

local function word(rng)
  local letters = {}
  for i = 1, 2 + rng:below(8) do
    letters[i] = string.char(97 + rng:below(26))
  end
  return table.concat(letters)
end

local function vocabulary(rng)
  local words = {}
  for i = 1, VOCABULARY do words[i] = word(rng) end
  return words
end

-- The k-th word comes about 1 / k times as often as the first.
local function drawn(rng, words)
  return words[math.floor(VOCABULARY ^ rng:float())]
end

local function sentence(rng, words)
  local list = {}
  for i = 1, 5 + rng:below(31) do list[i] = drawn(rng, words) end
  return list
end

local function generate(path, rows)
  local rng = core.rng(1)
  local words, recent = vocabulary(rng), {}
  local file = assert(io.open(path, "w"))
  file:write "label,text\n"
  for i = 1, rows do
    local list = sentence(rng, words)
    if i > 1 and rng:below(AGAIN) == 0 then
      list = recent[rng:below(math.min(i - 1, 1000)) + 1]
      if rng:below(2) == 0 then
        list[rng:below(#list) + 1] = drawn(rng, words)
      end
    end
    recent[(i - 1) % 1000 + 1] = list
    file:write(rng:below(2), ',"', table.concat(list, " "), '."\n')
  end
  file:close()
end

local function timed(what, rows, f)
  local begun, processor = core.system.monotonic(), os.clock()
  f()
  local seconds = core.system.monotonic() - begun
  print(("%-7s %7.1f s  %7.1f s of processors  %8.0f rows/s  peak %5.0f MiB")
    :format(what, seconds, os.clock() - processor, rows / seconds,
    core.system.peak_rss()))
end

local path, rows = arg[1], tonumber(arg[2] or 1000000)
assert(path, "usage: lua5.4 spec/peers/audit_million.lua FILE.csv [ROWS]")
local there = io.open(path)
if there then there:close() else generate(path, rows) end

timed("audit", rows, function()
  print((data.audit(path, { output = path .. ".audit" })))
end)
timed("reading", rows, function() for _ in data.rows(path) do end end)
