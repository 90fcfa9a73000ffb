--- What a million rows cost the duplicates detector: seconds and memory.
--   lua5.4 spec/peers/audit_million.lua FILE.csv [ROWS]
-- FILE is made where it is not there: sentences of about 20 words that come
-- as often as words do (Zipf), 5 in 100 of them again, half of those with a
-- word changed. It takes 130 MB; the same rows each time.

local core = require "lunula.core"
local data = require "lunula.data"
local duplicates = require "lunula.audit.duplicates"

local VOCABULARY, AGAIN, SHOWN = 200000, 20, 3

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
  local begun = core.system.monotonic()
  f()
  local seconds = core.system.monotonic() - begun
  print(("%-10s %9.1f s %9.0f rows/s  peak %5.0f MiB"):format(what, seconds,
    rows / seconds, core.system.peak_rss()))
end

local Found = { n = 0 }
function Found:add(place, kind, severity, evidence)
  self.n = self.n + 1
  if self.n > SHOWN then return end
  print(place.number, kind, severity, evidence)
end
function Found.figure(_, _, counts)
  for name, value in pairs(counts) do print(name, value) end
end

local path, rows = arg[1], tonumber(arg[2] or 1000000)
assert(path, "usage: lua5.4 spec/peers/audit_million.lua FILE.csv [ROWS]")
local there = io.open(path)
if there then there:close() else generate(path, rows) end

timed("rows", rows, function() for _ in data.rows(path) do end end)
local context = {}
function context.place(index) return { file = path, number = index } end
local detector = duplicates.new(duplicates.options, context)
timed("rows, see", rows, function()
  for row in data.rows(path) do
    row.part = "train"
    detector:see(row)
  end
end)
timed("finish", rows, function() detector:finish(Found) end)
