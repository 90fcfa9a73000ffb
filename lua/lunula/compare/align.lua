--- Answers of another system beside the rows that they are about: by the text,
-- never by the position. Texts are the same when their bytes are; where no
-- answer has the bytes of a row, when they are the same but for space, quotes,
-- dashes and full stops, which files write in ways of their own. Bytes that are
-- no UTF-8 are all the same, as JSON has no other way to write them.
-- @module lunula.compare.align

local json = require "lunula.json"
local labels = require "lunula.labels"

local align = {}

local VALUES = 10  -- named of answers that are no label

-- The same of several bytes in UTF-8, each kind by its first byte: the control
-- characters that are what is left of such marks of Windows, the space that
-- breaks no line, and the quotes of the French; dashes, other quotes, ellipsis.
local MARKS = { "\194[\128-\160\171\187]",
  "\226\128[\144-\149\152-\159\166\175\185\186]" }

local function fail(message, ...)
  error(message:format(...), 0)
end

--- What two texts have in common that differ in space, quotes, dashes and full
-- stops alone.
-- @string text
-- @treturn string
-- @usage align.plain ' "So  good" ' == align.plain "So good"
function align.plain(text)
  text = json.utf8(text):gsub("[%s\"'`.-]+", "")
  if text:find "[\194\226]" then
    for _, mark in ipairs(MARKS) do text = text:gsub(mark, "") end
  end
  return text
end

-- a text's name in an index; no text has a zero byte
local function key_of(row, form)
  local pair = row.text_pair and form(row.text_pair)
  return form(row.text) .. (pair and "\0" .. pair or "")
end

-- {======== index ========

local function add(index, key, answer)
  local group = index[key]
  if not group then
    index[key] = { answer }
    return
  end
  group[#group + 1] = answer
  if answer.outcome ~= group[1].outcome then
    group.other = group.other or answer
  end
end

-- The answers by their texts: as they are, and plain.
local function index_of(answers, parser)
  local exact, plain, without_text = {}, {}, 0
  for _, answer in ipairs(answers) do
    if answer.text:find "%S" then
      answer.outcome = parser:read(answer.said)
      add(exact, key_of(answer, json.utf8), answer)
      add(plain, key_of(answer, align.plain), answer)
    else
      without_text = without_text + 1
    end
  end
  return exact, plain, without_text
end

-- }========

-- {======== refusals ========

local function place(answer)
  return answer.line and ("%s:%d"):format(answer.file, answer.line)
    or ("the answer to '%s'"):format(answer.text)
end

local function check_pairs(rows, answers, name)
  local has_pairs = rows[1].text_pair ~= nil
  if has_pairs == (answers[1].text_pair ~= nil) then return end
  fail("compare: %s: %s has a second text for each, the other has none: name "
    .. "its column too", name, has_pairs and "what is judged" or name)
end

local function check_missing(missing, rows, name, partial)
  if #missing == 0 then return end
  local first = labels.place(rows, missing[1], "compare")
  if #missing == #rows then
    fail("compare: %s: none of its texts is among the %d that are judged, "
      .. "such as %s: is it the column of the text?", name, #rows, first)
  elseif not partial then
    fail("compare: %s: no answer to %d of %d texts, the first of them %s; "
      .. "partial = true judges the others alone", name, #missing, #rows, first)
  end
end

local function check_contradictions(found, name)
  if #found == 0 then return end
  local one, other = found[1][1], found[1].other
  fail("compare: %s: %d text%s different answers, the first of them '%s' in "
    .. "%s and '%s' in %s", name, #found, #found == 1 and " has" or "s have",
    one.said, place(one), other.said, place(other))
end

-- Values with how often each comes, the most frequent first.
local function counted(answers)
  local count, values = {}, {}
  for _, answer in ipairs(answers) do
    if not count[answer.said] then values[#values + 1] = answer.said end
    count[answer.said] = (count[answer.said] or 0) + 1
  end
  table.sort(values, function(a, b)
    if count[a] ~= count[b] then return count[a] > count[b] end
    return a < b
  end)
  local parts = {}
  for i = 1, math.min(#values, VALUES) do
    parts[i] = ("'%s' (%d)"):format(values[i], count[values[i]])
  end
  return table.concat(parts, ", ")
    .. (#values > VALUES and (" and %d more"):format(#values - VALUES) or ""),
    #values
end

local function check_unknown(unknown, name, policy)
  if #unknown == 0 or policy == "wrong" then return end
  local listed, n = counted(unknown)
  fail("compare: %s: %d answer%s no label, with %d value%s: %s; the first in "
    .. "%s. Map them to labels, say which means that it abstains, or count "
    .. "them as wrong (unknown = 'wrong')", name, #unknown,
    #unknown == 1 and " is" or "s are", n, n == 1 and "" or "s", listed,
    place(unknown[1]))
end

-- }========

-- The group of each row, nil where there is none.
local function look_up(rows, exact, plain)
  local groups, loosely = {}, 0
  for i, row in ipairs(rows) do
    local group = exact[key_of(row, json.utf8)]
    if not group then
      local key = key_of(row, align.plain)
      group = key:find "[^%z]" and plain[key]
      loosely = loosely + (group and 1 or 0)
    end
    groups[i] = group or nil
  end
  return groups, loosely
end

-- How many answers were not used, and why.
local function left_out(answers, groups, n, without_text)
  local used, doubled = {}, 0
  for i = 1, n do
    for j, answer in ipairs(groups[i] or {}) do
      if j > 1 and not used[answer] then doubled = doubled + 1 end
      used[answer] = true
    end
  end
  local extra = 0
  for _, answer in ipairs(answers) do
    if answer.outcome and not used[answer] then extra = extra + 1 end
  end
  return { doubled = doubled, extra = extra, without_text = without_text }
end

-- The rows that have an answer, those that have none, and what is wrong with
-- answers.
local function gather(groups, n)
  local found = { numbers = {}, answers = {}, missing = {}, unknown = {},
    contradictions = {} }
  local seen = {}
  local function add_to(list, value) list[#list + 1] = value end
  for i = 1, n do
    local group = groups[i]
    if group then
      add_to(found.numbers, i)
      add_to(found.answers, group[1])
      if group[1].outcome.unparsed then add_to(found.unknown, group[1]) end
      if group.other and not seen[group] then
        add_to(found.contradictions, group)
      end
      seen[group] = true
    else
      add_to(found.missing, i)
    end
  end
  return found
end

--- Finds the answer to each row.
-- @tparam {table,...} rows as from `data.read`, at least one
-- @tparam table theirs `name` and `rows`, as from `compare.read`
-- @tparam Parser parser
-- @tparam table o `partial`, whether rows may be without an answer; `unknown`,
--   "refuse" or "wrong": what becomes of answers that are no label
-- @treturn table `numbers`, the rows that have an answer; `answers`, one for
--   each of them, with `outcome`; `loosely`, how many of them were found by
--   their plain form; `left_out`, counts
-- @raise where a text has several answers that differ or, as `o` has it, none,
--   or one that is no label: with how many, and the first
function align.find(rows, theirs, parser, o)
  check_pairs(rows, theirs.rows, theirs.name)
  local exact, plain, without_text = index_of(theirs.rows, parser)
  local groups, loosely = look_up(rows, exact, plain)
  local found = gather(groups, #rows)
  check_missing(found.missing, rows, theirs.name, o.partial)
  check_contradictions(found.contradictions, theirs.name)
  check_unknown(found.unknown, theirs.name, o.unknown)
  local counts = left_out(theirs.rows, groups, #rows, without_text)
  counts.not_covered = #found.missing
  return { numbers = found.numbers, answers = found.answers,
    loosely = loosely, left_out = counts }
end

return align
