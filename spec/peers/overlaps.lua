--- The overlaps that really are in published data: texts of a training part
-- that are in a held-out one, too.
--   lua5.4 spec/peers/overlaps.lua DATA [near]
-- DATA has the folders banking77 and glue_sst2. With `near` also those that
-- are nearly equal are printed. Of equal ones it says what differs: blanks,
-- case and punctuation don't count to the detector.

local data = require "lunula.data"
local duplicates = require "lunula.audit.duplicates"
local names_of = require("lunula.options").names

local SETS = {
  { name = "banking77", "train.csv", "test.csv" },
  { name = "glue_sst2", "train.tsv", "dev.tsv", "test.tsv" },
}

local function part_of(path)
  local name = path:match "([^/]+)%.%w+$"
  return name == "dev" and "validation" or name
end

local function look(folder, set, found)
  local rows, context = found.rows, {}
  function context.place(index)
    return { file = rows[index].file, number = index, row = rows[index] }
  end
  local detector = duplicates.new(duplicates.options, context)
  for _, name in ipairs(set) do
    local path = folder .. "/" .. set.name .. "/" .. name
    for row in data.rows(path) do
      row.part = part_of(path)
      rows[#rows + 1] = row
      detector:see(row)
    end
  end
  detector:finish(found)
end

local function squeezed(text)
  return (text:gsub("%s+", " "):gsub("^ ", ""):gsub(" $", ""))
end

local function way_of(a, b)
  if a == b then return "equal" end
  return squeezed(a) == squeezed(b) and "equal but for blanks"
    or "equal but for case or signs"
end

local Found = {}
Found.__index = Found

function Found:add(place, kind, severity, evidence)
  if kind ~= "leak" or place.row.part ~= "train" then return end
  local same = severity == "high"
  if not (same or self.near) then return end
  local of = self.rows[tonumber(evidence:match ":(%d+)")]
  local way = not same and ("near, %s"):format(evidence:match "0%.%d+")
    or way_of(place.row.text, of.text)
  local key = of.part .. ", " .. (same and way or "near")
  self.counts[key] = (self.counts[key] or 0) + 1
  print(("%s | %s | %s | %s"):format(of.part, way, squeezed(place.row.text),
    squeezed(of.text)))
end

function Found:figure(_, counts)
  for name, value in pairs(counts) do self.counts[name] = value end
end

local folder = assert(arg[1], "usage: lua5.4 spec/peers/overlaps.lua DATA")
for _, set in ipairs(SETS) do
  print("== " .. set.name)
  local found = setmetatable({ rows = {}, counts = {},
    near = arg[2] == "near" }, Found)
  look(folder, set, found)
  for _, name in ipairs(names_of(found.counts)) do
    print(name, found.counts[name])
  end
end
