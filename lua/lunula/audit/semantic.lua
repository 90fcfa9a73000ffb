--- Texts that say the same in other words: pairs whose vectors have a cosine
-- above a threshold, but for those that are nearly equal as they are written,
-- which other checks find. All rows are compared with all, exactly; of each row
-- the nearest is told, one within its part and one in another. In another part
-- it is a leak: a test asks for what was learnt.
-- @module lunula.audit.semantic

local check = require "lunula.check"
local options_of = require "lunula.options"
local vectors = require "lunula.audit.vectors"

local semantic = {}

--- Options of an audit: the least cosine, how many rows are compared with each
-- other at most, and the `encoder` (see `vectors.source`).
semantic.options = { cosine = 0.95, most_compared = 50000,
  encoder = options_of.none }

local Semantic = {}
Semantic.__index = Semantic

local NEAR, WIDE = 16, 256  -- neighbours looked at; where all are near, more
local SURE = 0.98           -- the cosine of a leak that is hardly in doubt
local ALIKE = 0.8           -- share of words that nearly equal texts have both

local HELD_OUT = { train = 1, validation = 2, test = 3 }

--- A detector.
-- @tparam table options of the audit
-- @tparam table context
-- @treturn table with `see` and `finish`
function semantic.new(options, context)
  check.number(options.cosine, "audit: cosine", { above = 0, most = 1 })
  check.integer(options.most_compared, "audit: most_compared", { least = 0 })
  return setmetatable({ options = options, context = context }, Semantic)
end

--- Does nothing: all rows are looked at together, in the end.
function Semantic.see() end

-- {======== as they are written ========

-- How often each word is in a text, and how many words it has.
local function words_of(text)
  local count, n = {}, 0
  for word in text:lower():gmatch "[%w\128-\255]+" do
    count[word], n = (count[word] or 0) + 1, n + 1
  end
  return count, n
end

-- Texts that differ in one word or in few of many.
local function is_alike(a, b)
  local in_a, n_a = words_of(a)
  local in_b, n_b = words_of(b)
  local both, most = 0, math.max(n_a, n_b)
  for word, count in pairs(in_a) do
    both = both + math.min(count, in_b[word] or 0)
  end
  return most - both <= 1 or both >= ALIKE * most
end

-- }========

-- {======== the nearest ========

-- Whether rows are of several parts.
local function has_parts(rows)
  for _, row in ipairs(rows) do
    if row.part ~= rows[1].part then return true end
  end
  return false
end

-- The nearest of a row in its part and in another one, above the threshold.
local function nearest(self, row, cosines, indices)
  local here, there
  for j, cosine in ipairs(cosines) do
    if cosine < self.options.cosine or here and there then break end
    local other = self.context.rows[indices[j]]
    local is_here = other.part == row.part
    if not (is_here and here or not is_here and there)
        and not is_alike(vectors.text_of(row), vectors.text_of(other)) then
      local pair = { row = other, cosine = cosine }
      if is_here then here = pair else there = pair end
    end
  end
  return here, there
end

-- Of each row the nearest in its part and in another one. Behind equal texts
-- others may be hidden: there it is looked further.
local function search(self)
  local context, options = self.context, self.options
  local cosines, indices = vectors.all_near(context, options, NEAR)
  local here, there, further = {}, {}, {}
  local several = has_parts(context.rows)
  local function look(i, near, rows)
    here[i], there[i] = nearest(self, context.rows[i], near, rows)
  end
  for i in ipairs(context.rows) do
    look(i, cosines[i], indices[i])
    local last = cosines[i][#cosines[i]]
    local has_all = here[i] and (there[i] or not several)
    if not has_all and last and last >= options.cosine
        and #cosines[i] < math.min(WIDE, #context.rows - 1) then
      further[#further + 1] = i
    end
  end
  vectors.each_near(context, options, further, WIDE, look)
  return here, there
end

-- }========

-- {======== what is told ========

-- Whether two rows have labels, and others.
local function differ(row, other)
  return row.label ~= nil and other.label ~= nil and row.label ~= other.label
end

local function evidence_of(row, pair)
  local other, label = pair.row, ""
  if other.label ~= nil then
    label = (', label "%s"'):format(tostring(other.label))
    if differ(row, other) then
      label = label .. (' instead of "%s"'):format(tostring(row.label))
    end
  end
  return ("says the same as %s:%d (cosine %.3f%s)"):format(other.file,
    other.number, pair.cosine, label)
end

local function add_leak(found, row, pair)
  local keeps = HELD_OUT[row.part] > HELD_OUT[pair.row.part]
  found:add(row, "leak", pair.cosine >= SURE and "medium" or "low",
    evidence_of(row, pair), keeps and "keep" or "remove")
end

local function add_duplicate(found, row, pair)
  found:add(row, "semantic_duplicate",
    differ(row, pair.row) and "medium" or "low", evidence_of(row, pair), "look")
end

--- Looks at all rows.
-- @tparam issues found
function Semantic:finish(found)
  local context = self.context
  local why = vectors.hindrance(context, self.options)
  if why then return found:skipped("semantic_duplicate", why) end
  local figures = { cosine = self.options.cosine, rows = #context.rows,
    duplicates = 0, leaks = 0 }
  local here, there = search(self)
  for i, row in ipairs(context.rows) do
    if here[i] then
      add_duplicate(found, row, here[i])
      figures.duplicates = figures.duplicates + 1
    end
    if there[i] then
      add_leak(found, row, there[i])
      figures.leaks = figures.leaks + 1
    end
  end
  found:figure("semantic", figures)
end

-- }========

return semantic
