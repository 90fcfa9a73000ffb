--- Records of comma- and tab-separated values.
-- CSV is read by RFC 4180, strictly: a quote is allowed around a whole field
-- and, doubled, inside it. TSV has no quoting: a tab always separates, and a
-- quote is a character like any other. Blank lines hold no record. Each
-- byte is looked at a fixed number of times, however long a field is.
-- @module lunula.data.csv

local byte, find, sub = string.byte, string.find, string.sub

local csv = {}

local QUOTE, COMMA = byte('"'), byte(",")

local function split(line, separator)
  local fields, n, from = {}, 1, 1
  local stop = find(line, separator, 1, true)
  while stop do
    fields[n] = sub(line, from, stop - 1)
    n, from = n + 1, stop + 1
    stop = find(line, separator, from, true)
  end
  fields[n] = sub(line, from)
  return fields
end

-- Files of old Macs end their lines with CR alone, and would otherwise be
-- one endless line.
local function refuse_return(input, text)
  if find(text, "\r", 1, true) then
    input:fail(input.number, "a carriage return that ends no line: "
      .. "end lines with LF or CRLF")
  end
end

local function unquoted(input, line, from)
  local stop = find(line, ",", from, true) or #line + 1
  local field = sub(line, from, stop - 1)
  if find(field, '"', 1, true) then
    input:fail(input.number, "a quote inside a field that does not begin "
      .. 'with one: write "5"" pipe" for 5" pipe')
  end
  refuse_return(input, field)
  return field, stop
end

local function refuse_tail(input, opened, line, at)
  local after = byte(line, at)
  if after == nil or after == COMMA then return end
  local where = ""
  if opened ~= input.number then
    where = (" (its field begins on line %d)"):format(opened)
  end
  input:fail(input.number, "text after a closing quote%s: a quote inside a "
    .. 'field is written ""', where)
end

-- A field whose opening quote stands before `from`. It may run over many
-- lines, so the line in which it closed is returned with it.
local function quoted(input, line, ending, from)
  local pieces, opened = {}, input.number
  while true do
    local quote = find(line, '"', from, true)
    if not quote then
      pieces[#pieces + 1] = sub(line, from) .. ending
      line, ending = input:next()
      if not line then input:fail(opened, "a quote that is never closed") end
      from = 1
    elseif byte(line, quote + 1) == QUOTE then
      pieces[#pieces + 1] = sub(line, from, quote)
      from = quote + 2
    else
      pieces[#pieces + 1] = sub(line, from, quote - 1)
      refuse_tail(input, opened, line, quote + 1)
      return table.concat(pieces), quote + 1, line, ending
    end
  end
end

local function fields_of(input, line, ending)
  local fields, n, at = {}, 0, 1
  while true do
    n = n + 1
    if byte(line, at) == QUOTE then
      fields[n], at, line, ending = quoted(input, line, ending, at + 1)
    else
      fields[n], at = unquoted(input, line, at)
    end
    if at > #line then return fields end
    at = at + 1
  end
end

local function next_filled(input)
  local line, ending
  repeat line, ending = input:next() until line ~= ""
  return line, ending
end

--- The next record of a CSV file.
-- Source: RFC 4180, https://www.rfc-editor.org/rfc/rfc4180.
-- @tparam Lines input
-- @treturn ?{string,...} its fields, at least one; nil when there is no more
-- @treturn int the line on which it begins
-- @raise on a misplaced or unclosed quote, or a CR that ends no line
-- @usage for fields, line in csv.record, lines.of(file, "x.csv") do ... end
function csv.record(input)
  local line, ending = next_filled(input)
  if not line then return nil end
  local number = input.number
  if find(line, '"', 1, true) then
    return fields_of(input, line, ending), number
  end
  refuse_return(input, line)
  return split(line, ","), number
end

--- The next record of a TSV file.
-- @tparam Lines input
-- @treturn ?{string,...} its fields, at least one; nil when there is no more
-- @treturn int its line
-- @usage for fields, line in csv.tab_record, lines.of(file, "x.tsv") do ... end
function csv.tab_record(input)
  local line = next_filled(input)
  if not line then return nil end
  return split(line, "\t"), input.number
end

local DIVIDERS = { [";"] = "semicolons", ["\t"] = "tabs", ["|"] = "bars" }

--- What a header is in want of that is divided by other signs than commas.
-- @tparam {string,...} names of the columns
-- @treturn ?string what to do; nil where nothing is amiss
-- @usage csv.advice { "text;label" }
--   --> there are semicolons between its fields: save it with commas
function csv.advice(names)
  local divider = #names == 1 and DIVIDERS[names[1]:match "[;\t|]"]
  return divider and ("there are %s between its fields: save it with commas")
    :format(divider) or nil
end

local function field_of(text)
  if not find(text, '[",\r\n]') then return text end
  return '"' .. text:gsub('"', '""') .. '"'
end

--- A record as a line of CSV, without its end: what `record` reads back.
-- @tparam {string,...} fields
-- @treturn string
-- @usage csv.line { "5\" pipe", "a, b" }  --> "5"" pipe","a, b"
function csv.line(fields)
  local quoted_fields = {}
  for i, field in ipairs(fields) do quoted_fields[i] = field_of(field) end
  -- a blank line would be no record
  local only = #fields == 1 and fields[1] == ""
  return only and '""' or table.concat(quoted_fields, ",")
end

return csv
