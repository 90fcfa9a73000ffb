--- Files over HTTP, by the program curl.
-- The body comes through a pipe and is written here: a killed lunula leaves
-- no curl behind that goes on writing. A token is named to curl in a
-- here-document that the shell fills in from the environment, so that it is
-- on no command line and in no file.
-- @module lunula.hub.http

local cache = require "lunula.hub.cache"
local shell = require "lunula.shell"
local trimmed = require "lunula.trimmed"

local http = {}

local CHUNK = 65536       -- bytes read at once
local CANNOT_RESUME = 33  -- curl: the server sends whole files only

local HTTP_ERROR = 22     -- curl: a status from 400 on

-- curl's exit statuses for a server that was not spoken to, if it did not
-- answer, and for a transfer that was cut, if it did
local NO_ANSWER = {
  [5] = true, [6] = true, [7] = true, [28] = true, [35] = true, [52] = true,
  [56] = true, [60] = true, [97] = true,
}
local CUT = { [18] = true, [28] = true, [56] = true, [92] = true }

-- HTTP statuses of a proxy in the way and of a server that is too busy; from
-- 500 on a server is out of order
local REFUSED = { [407] = true, [429] = true }

local function command(url, offset, headers)
  local arguments = {
    "curl", "--silent", "--show-error", "--fail", "--location", "--globoff",
    "--proto", "=http,https", "--max-redirs", "5", "--connect-timeout", "5",
    "--speed-limit", "1", "--speed-time", "30", "--suppress-connect-headers",
    "--dump-header", headers, "--config", "-",
  }
  if offset > 0 then
    arguments[#arguments + 1] = "--continue-at"
    arguments[#arguments + 1] = ("%d"):format(offset)
  end
  arguments[#arguments + 1] = url
  return shell.line(arguments)
end

local function config(with_token)
  local token = with_token and os.getenv("HF_TOKEN") or ""
  if token == "" then return " </dev/null" end
  if token:find("[^%w_%.%-]") then
    error("HF_TOKEN: a character that no token has", 0)
  end
  return ' <<TOKEN\nheader = "Authorization: Bearer $HF_TOKEN"\nTOKEN'
end

--- The headers of all hops: what a server says before it redirects stays.
-- @string text as curl dumps them
-- @treturn table values by name, in lower case
-- @treturn ?int the last status
-- @usage local headers = http.headers "HTTP/1.1 429\r\nRetry-After: 2\r\n"
function http.headers(text)
  local headers, status = {}, nil
  for line in text:gmatch("[^\r\n]+") do
    status = tonumber(line:match("^HTTP/%S+ (%d+)")) or status
    local name, value = line:match("^([%w%-]+):(.*)$")
    if name then headers[name:lower()] = trimmed(value) end
  end
  return headers, status
end

-- the file's size so far and, once the headers are there, in all
local function reporter(on_progress, headers_path, offset)
  if not on_progress then return function() end end
  local done, total = offset, nil
  return function(bytes)
    if not total then
      local headers = http.headers(cache.read(headers_path) or "")
      total = offset + (tonumber(headers["content-length"]) or 0)
    end
    done = done + bytes
    on_progress(done, total)
  end
end

local function pour(process, file, report)
  local chunk = process:read(CHUNK)
  while chunk do
    local written, why = file:write(chunk)
    if not written then return nil, why end
    report(#chunk)
    chunk = process:read(CHUNK)
  end
  return true
end

local function write_body(process, path, offset, report)
  local file, why = io.open(path, offset > 0 and "ab" or "wb")
  if not file then return nil, why end
  local poured, pour_why = pour(process, file, report)
  local closed, close_why = file:close()
  return poured and closed, pour_why or close_why
end

local function outcome(code, status)
  local answered = status ~= nil and status >= 200 and status < 300
  local unreachable = NO_ANSWER[code] and not answered
  if code == HTTP_ERROR then
    unreachable = REFUSED[status] or status >= 500
  end
  return code == 0, unreachable or false, answered and CUT[code] or false
end

--- Gets a file.
-- @string url
-- @string path where to write it
-- @tparam[opt] table options
-- @bool[opt=false] options.resume go on after the bytes that are there
-- @bool[opt=false] options.token send HF_TOKEN, if there is one
-- @func[opt] options.on_progress called with the bytes so far and in all
-- @treturn table `ok`; `status` of HTTP, if any; `headers` in lower case;
-- `resumed`; and when not ok, `message`, `cut` (worth going on with),
-- `unreachable` (nobody there)
-- @raise when curl is missing, or the file can't be written
-- @usage local reply = http.get("http://localhost/x.csv", "/tmp/x.csv")
function http.get(url, path, options)
  options = options or {}
  local offset = options.resume and cache.size(path) or 0
  local settings = config(options.token)
  local headers_path = path .. ".headers"
  local process = shell.start(command(url, offset, headers_path) .. settings)
  local written, why = write_body(process, path, offset,
    reporter(options.on_progress, headers_path, offset))
  local code, said = process:close()
  local headers, status = http.headers(cache.read(headers_path) or "")
  os.remove(headers_path)
  if not written then
    error(("cannot write %s: %s"):format(path, why), 0)
  end
  if code == CANNOT_RESUME then
    os.remove(path)
    return http.get(url, path, options)
  end
  local reply = { status = status, headers = headers, resumed = offset > 0,
    message = shell.last_line(said) }
  reply.ok, reply.unreachable, reply.cut = outcome(code, status)
  if not reply.ok and not reply.cut then os.remove(path) end
  return reply
end

return http
