--- What comes often in a stream, in little memory.
-- Lossy counting (Manku and Motwani 2002, "Approximate Frequency Counts over
-- Data Streams"): after every WIDTH items those are forgotten that cannot be
-- frequent yet. What comes in more than one of WIDTH items is never missed;
-- of few items nothing is forgotten.
-- @classmod lunula.audit.frequent

local frequent = {}
frequent.__index = frequent

local WIDTH = 2000

--- Nothing seen yet.
-- @treturn frequent
function frequent.new()
  return setmetatable({ n = 0, bucket = 0, items = {} }, frequent)
end

local function forget(self)
  self.bucket = self.bucket + 1
  for key, item in pairs(self.items) do
    if #item.indexes + item.before <= self.bucket then
      self.items[key] = nil
    end
  end
end

--- Sees a key. The same whole text a second time in a row tells nothing of the
-- key: that is a duplicate.
-- @string key
-- @string text in which it stands
-- @int index of the row
function frequent:see(key, text, index)
  local item = self.items[key]
  if not item then
    self.items[key] = { indexes = { index }, first = text,
      before = self.bucket }
  elseif item.first ~= text then
    item.indexes[#item.indexes + 1] = index
  end
  self.n = self.n + 1
  if self.n % WIDTH == 0 then forget(self) end
end

--- The keys that came often, those first that came most.
-- @number least how often
-- @treturn {table,...} `{ key=, indexes= }`, the rows' indexes in their order
function frequent:at_least(least)
  local list = {}
  for key, item in pairs(self.items) do
    if #item.indexes >= least then
      list[#list + 1] = { key = key, indexes = item.indexes }
    end
  end
  table.sort(list, function(a, b)
    if #a.indexes ~= #b.indexes then return #a.indexes > #b.indexes end
    return a.key < b.key
  end)
  return list
end

return frequent
