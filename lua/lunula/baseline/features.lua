--- Texts as sparse vectors: the words and word pairs in them, weighted.
-- @module lunula.baseline.features

local features = {}

local Vocabulary = {}
Vocabulary.__index = Vocabulary

-- A word is a run of letters, digits and apostrophes; every byte of a
-- character beyond ASCII counts as a letter.
local WORD = "[%w\128-\255']+"

-- Chinese and Japanese are written without spaces: their characters (UTF-8
-- of U+3000 to U+9FFF) stand as words of their own.
local UNSPACED = "[\227-\233][\128-\191][\128-\191]"

local function add(name, names, seen)
  if seen[name] then return end
  seen[name] = true
  names[#names + 1] = name
end

local function add_text(text, mark, names, seen)
  local before = "^"  -- the start of the text, which is no word
  for word in text:lower():gsub(UNSPACED, " %0 "):gmatch(WORD) do
    add(mark .. word, names, seen)
    add(mark .. before .. " " .. word, names, seen)
    before = word
  end
end

--- The distinct words and pairs of neighbours in a text, lower-cased.
-- @string text
-- @tparam[opt] string text_pair its features are others than those of `text`
-- @treturn {string,...} in the order of their first occurrence
-- @usage features.of("Not good") --> "not", "^ not", "good", "not good"
function features.of(text, text_pair)
  local names, seen = {}, {}
  add_text(text, "", names, seen)
  if text_pair then add_text(text_pair, "2:", names, seen) end
  return names
end

local function document_counts(documents)
  local counts = {}
  for _, names in ipairs(documents) do
    for _, name in ipairs(names) do counts[name] = (counts[name] or 0) + 1 end
  end
  return counts
end

--- Numbers the features of a set of texts and learns how rare each is.
-- A feature weighs ln((1 + n) / (1 + d)) + 1, where d of the n texts have it
-- (inverse document frequency, smoothed as in scikit-learn). Number 1 is a
-- constant, so that a text without any known feature is a vector too.
-- @tparam {{string,...},...} documents from `features.of`
-- @int min_count features that fewer texts have are left out
-- @treturn Vocabulary its field `size` counts the features
function features.vocabulary(documents, min_count)
  local counts, number, weight, size = document_counts(documents), {}, {}, 1
  for _, names in ipairs(documents) do
    for _, name in ipairs(names) do
      if counts[name] >= min_count and not number[name] then
        size = size + 1
        number[name] = size
        weight[size] = math.log((1 + #documents) / (1 + counts[name])) + 1
      end
    end
  end
  return setmetatable({ number = number, weight = weight, size = size },
    Vocabulary)
end

--- The vector of a text: length 1, and the constant.
-- @tparam {string,...} names from `features.of`; unknown ones count nothing
-- @treturn table `ids` and `values`, arrays of one length
function Vocabulary:vector(names)
  local ids, values, squares = { 1 }, { 1 }, 0
  for _, name in ipairs(names) do
    local id = self.number[name]
    if id then
      local weight = self.weight[id]
      ids[#ids + 1], values[#ids + 1] = id, weight
      squares = squares + weight * weight
    end
  end
  local length = math.sqrt(squares)
  for i = 2, #values do values[i] = values[i] / length end
  return { ids = ids, values = values }
end

return features
