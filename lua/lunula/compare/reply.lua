--- Replies of an OpenAI-compatible server: an answer, a reason to ask again
-- later, or one to stop. A key that a server repeats is masked.
-- @module lunula.compare.reply

local json = require "lunula.json"

local reply = {}

local SHOWN = 200  -- bytes of what a server says, for a message

-- curl's exit statuses for what may be better the next time: no such host, no
-- connection, a transfer that was cut, too slow, nothing said
local FLEETING = {
  [5] = true, [6] = true, [7] = true, [18] = true, [28] = true, [35] = true,
  [52] = true, [55] = true, [56] = true, [92] = true,
}

local TOO_LARGE = 63  -- curl: the server said so before it sent anything

-- HTTP statuses likewise; from 500 on a server is out of order
local BUSY = { [408] = true, [409] = true, [425] = true, [429] = true }

--- A text without the key.
-- @string text
-- @tparam ?string key
-- @treturn string
function reply.masked(text, key)
  if not key then return text end
  local parts, at = {}, 1
  local first, last = text:find(key, 1, true)
  while first do
    parts[#parts + 1] = text:sub(at, first - 1) .. "[the key]"
    at = last + 1
    first, last = text:find(key, at, true)
  end
  return table.concat(parts) .. text:sub(at)
end

local function decoded(body)
  local ok, value = pcall(json.decode, body, "reply")
  return ok and type(value) == "table" and value or nil
end

-- What a server says went wrong: they differ in where they say it. JSON is
-- written anew, since its escapes could hide the key, and what would be cut is
-- masked before.
local function complaint(body, key)
  local value = decoded(body)
  local said = value and (value.error or value.message or value.detail)
  if type(said) == "table" then said = said.message end
  if type(said) ~= "string" then said = value and json.encode(value) or body end
  said = reply.masked(said, key):gsub("[%c%s]+", " "):sub(1, SHOWN)
  return said:find "%S" and ": " .. json.utf8(said) or ""
end

local function number(value)
  return type(value) == "number" and value or nil
end

local function text_or_nil(value)
  return type(value) == "string" and value or nil
end

-- A model that says nothing says "".
local function answer_of(value, got, key)
  local choice = type(value.choices) == "table" and value.choices[1]
  local message = type(choice) == "table" and choice.message
  if type(message) ~= "table" then return nil end
  local content = message.content
  if content == nil or content == json.null then content = "" end
  if type(content) ~= "string" then return nil end
  local usage = type(value.usage) == "table" and value.usage or {}
  local reason = text_or_nil(choice.finish_reason)
  return {
    answer = reply.masked(content, key),
    input_tokens = number(usage.prompt_tokens),
    output_tokens = number(usage.completion_tokens),
    finish_reason = reason and reply.masked(reason, key),
    seconds = got.seconds,
  }
end

-- in seconds; a date is not looked at
local function retry_after(headers)
  return tonumber((headers["retry-after"] or ""):match "^%d+$")
end

--- Reads a reply.
-- @tparam table got as from `pool:reply`
-- @tparam ?string key to mask
-- @treturn ?table what a model answered: `answer`, `seconds` and, where they
--   are told, `input_tokens`, `output_tokens`, `finish_reason`
-- @treturn ?string else what went wrong
-- @treturn ?bool whether it may be better the next time
-- @treturn ?number seconds that the server wants to be left alone
function reply.read(got, key)
  if got.body == nil or got.code == TOO_LARGE then
    return nil, "a reply of more than 4 MiB", false
  elseif got.status == 0 or got.code ~= 0 and got.status == 200 then
    return nil, reply.masked(got.message, key), FLEETING[got.code]
      or got.status == 200
  elseif got.status == 200 then
    local value = decoded(got.body)
    local answer = value and answer_of(value, got, key)
    if answer then return answer end
    return nil, "no answer of a chat model" .. complaint(got.body, key), true
  end
  local why = ("HTTP %d%s"):format(got.status, complaint(got.body, key))
  return nil, why, BUSY[got.status] or got.status >= 500,
    retry_after(got.headers)
end

return reply
