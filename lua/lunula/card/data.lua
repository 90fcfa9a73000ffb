--- The sections of a card that say what data the model learnt from: what people
-- answered, which files they were, and how often each label is there.
-- @module lunula.card.data

local markdown = require "lunula.card.markdown"
local scores = require "lunula.card.scores"

local data = {}

local MOST_LABELS = 100
local PARTS = { "train", "validation", "test", "texts", "given" }

--- All files that are known of, in order: those of the training, and those that
-- were given to the card and are none of these.
-- @tparam table facts as `card.facts`
-- @treturn {table,...} facts of files, each with its `part`
function data.files(facts)
  local all, seen = {}, {}
  local of_training = type(facts.training.files) == "table"
    and facts.training.files or {}
  local function add(part, file)
    if type(file) ~= "table" or type(file.file) ~= "string" then return end
    if part == "given" and seen[file.sha256] then return end
    seen[file.sha256 or ""] = true
    local copy = { part = part }
    for name, value in pairs(file) do copy[name] = value end
    all[#all + 1] = copy
  end
  for _, part in ipairs(PARTS) do add(part, of_training[part]) end
  for _, file in ipairs(facts.files) do add("given", file) end
  return all
end

local function table_of(files)
  local rows = {}
  for i, file in ipairs(files) do
    local hash = tostring(file.sha256):match "^%x+$"
    rows[i] = { markdown.line(file.file), file.part,
      hash and "`" .. hash .. "`" or "unknown", scores.count(file.rows),
      scores.count(file.bytes) }
  end
  return markdown.table({ "File", "Part", "SHA-256", "Rows", "Bytes" }, rows, 3)
end

-- {======== balance ========

-- all labels, the most frequent of the first file first
local function labels_of(files)
  local counts, list = {}, {}
  for _, file in ipairs(files) do
    for label, n in pairs(file.labels) do
      if not counts[label] then list[#list + 1] = label end
      counts[label] = counts[label] or { n = n, at = #list }
    end
  end
  table.sort(list, function(a, b)
    if counts[a].n ~= counts[b].n then return counts[a].n > counts[b].n end
    return a < b
  end)
  return list
end

local function sum_of(labels)
  local sum = 0
  for _, n in pairs(labels) do sum = sum + n end
  return sum
end

-- how many of a file's rows
local function cell(file, n)
  local all = scores.is_number(file.rows) and file.rows or sum_of(file.labels)
  if all == 0 then return scores.count(n) end
  return ("%s (%.1f %%)"):format(scores.count(n), 100 * n / all)
end

local function row_of(name, files, count)
  local row = { name }
  for _, file in ipairs(files) do row[#row + 1] = cell(file, count(file)) end
  return row
end

local function without_label(file)
  return scores.is_number(file.without_label) and file.without_label or 0
end

local function balance(files)
  local rows, header, bare = {}, { "Label" }, 0
  for _, file in ipairs(files) do
    header[#header + 1] = ("%s (%s)"):format(markdown.line(file.file),
      file.part)
    bare = bare + without_label(file)
  end
  local list = labels_of(files)
  for i = 1, math.min(#list, MOST_LABELS) do
    rows[i] = row_of(markdown.line(list[i]), files, function(file)
      return file.labels[list[i]] or 0
    end)
  end
  if bare > 0 then
    rows[#rows + 1] = row_of("*none*", files, without_label)
  end
  local more = #list > MOST_LABELS
    and ("\n\nAnd %d labels more."):format(#list - MOST_LABELS) or ""
  return "How often each label is there:\n\n" .. markdown.table(header, rows)
    .. more
end

local function spread(files)
  local rows = {}
  for i, file in ipairs(files) do
    local n = file.numbers
    rows[i] = { ("%s (%s)"):format(markdown.line(file.file), file.part) }
    for _, name in ipairs { "least", "mean", "most", "deviation" } do
      rows[i][#rows[i] + 1] = scores.is_number(n[name])
        and ("%.4g"):format(n[name]) or "unknown"
    end
  end
  return "The numbers that are to be told:\n\n" .. markdown.table({ "File",
    "Least", "Mean", "Most", "Standard deviation" }, rows)
end

-- those of which a field is an object of counts, or of figures
local function having(files, field)
  local some = {}
  for _, file in ipairs(files) do
    local value, is_fine = file[field], type(file[field]) == "table"
    for _, n in pairs(is_fine and value or {}) do
      is_fine = is_fine and scores.is_number(n)
    end
    if is_fine and next(value) then some[#some + 1] = file end
  end
  return some
end

-- }========

-- What a reader has to know: a file of a name of the training's, but with
-- other bytes; one to judge by that was learnt from.
local function warnings(files)
  local by_name, said = {}, {}
  for _, file in ipairs(files) do
    local is_judge = file.part == "validation" or file.part == "test"
    if is_judge and file.sha256 and file.sha256 == files[1].sha256
        and files[1].part == "train" then
      said[#said + 1] = ("The model was judged (%s) by the very file that it "
        .. "learnt from: that says nothing of other texts."):format(file.part)
    end
    local before = by_name[file.file]
    if before and before.sha256 ~= file.sha256 then
      said[#said + 1] = ("%s is not the file of this name that the model "
        .. "learnt from: its hash is another."):format(
        markdown.line(file.file))
    end
    by_name[file.file] = before or file
  end
  return said[1] and table.concat(said, "\n\n") or nil
end

--- What is known of the files.
-- @tparam table facts
-- @treturn string
function data.section(facts)
  local files = data.files(facts)
  if #files == 0 then
    return "Unknown: nobody said which files the model learnt from "
      .. "(`lunula train` notes it; `--training-data F` names them)."
  end
  local parts = { table_of(files) }
  local labelled, numbered = having(files, "labels"), having(files, "numbers")
  parts[#parts + 1] = warnings(files)
  if labelled[1] then parts[#parts + 1] = balance(labelled) end
  if numbered[1] then parts[#parts + 1] = spread(numbered) end
  return table.concat(parts, "\n\n")
end

return data
