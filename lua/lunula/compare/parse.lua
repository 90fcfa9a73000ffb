--- What an answer of another system says: a label, that it abstains, or
-- nothing that is known. Strict: a label as it is written, in any case of
-- ASCII's letters, maybe with space around it, in quotes, or with a full stop
-- behind it. Chatter around a label is no label.
-- @module lunula.compare.parse

local labels = require "lunula.labels"
local trimmed = require "lunula.trimmed"

local parse = {}

local Parser = {}
Parser.__index = Parser

local UNCLEAR = {}  -- two that differ in case alone

local QUOTES = {
  { '"', '"' }, { "'", "'" }, { "`", "`" }, { "“", "”" }, { "‘", "’" },
  { "«", "»" },
}

local function without_stop(text)
  return text:match "^(.*[^%s.])%s*%.$"
end

local function without_quotes(text)
  for _, pair in ipairs(QUOTES) do
    local open, close = pair[1], pair[2]
    if #text > #open + #close and text:sub(1, #open) == open
        and text:sub(-#close) == close then
      return text:sub(#open + 1, -#close - 1)
    end
  end
end

-- The answer as it stands, then with less and less around it.
local function forms(said)
  local text = trimmed(said)
  local list, strippers = { text }, { without_stop, without_quotes }
  local i = 1
  while strippers[i] do
    local bare = strippers[i](text)
    if bare then
      text, i = trimmed(bare), table.remove(strippers, i) and 1
      list[#list + 1] = text
    else
      i = i + 1
    end
  end
  return list
end

local function add(self, name, outcome)
  self.exact[name] = outcome
  local key = name:lower()
  local before = self.folded[key]
  self.folded[key] = (before == nil or before == outcome) and outcome
    or UNCLEAR
end

local function add_mapped(self, map, known)
  for from, to in pairs(map or {}) do
    if not known[to] then
      error(("compare: map: '%s' is to be '%s', which is no label; there are: "
        .. "%s"):format(from, to, labels.listed(self.labels)), 0)
    end
    add(self, trimmed(from), known[to])
  end
end

local function add_abstention(self, value, known)
  if value == nil then return end
  value = trimmed(value)
  if self.exact[value] then
    error(("compare: abstain: '%s' is a label%s"):format(value,
      known[value] and "" or "'s other name in the map"), 0)
  end
  add(self, value, { abstained = true })
end

--- Makes a reader of answers.
-- @tparam {string,...} list all labels
-- @tparam[opt] table map what another system calls a label, to the label
-- @string[opt] abstain what it says where it does not answer
-- @treturn Parser with the method below
-- @raise when something is mapped to what is no label, or a label means that
--   nothing is said
-- @usage local parser = parse.new({ "0", "1" }, { positive = "1" }, "-1")
function parse.new(list, map, abstain)
  local self = setmetatable({ labels = list, exact = {}, folded = {} }, Parser)
  local known = {}
  for _, label in ipairs(list) do
    known[label] = { label = label }
    add(self, label, known[label])
  end
  add_mapped(self, map, known)
  add_abstention(self, abstain, known)
  return self
end

local NOTHING = { unparsed = true }

--- Reads an answer.
-- @string said
-- @treturn table `{ label = }`, `{ abstained = true }` or `{ unparsed = true
--   }`; the same table for the same outcome
-- @usage parser:read ' "Positive". '
function Parser:read(said)
  for _, form in ipairs(forms(said)) do
    local found = self.exact[form] or self.folded[form:lower()]
    if found == UNCLEAR then return NOTHING end
    if found then return found end
  end
  return NOTHING
end

return parse
