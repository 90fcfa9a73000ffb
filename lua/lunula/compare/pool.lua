--- Questions to a server over HTTP, several at once, by the program curl.
-- One sh runs them in the background. It is told which by a pipe with a name,
-- and says in a line of its output when one has ended; it ticks in between, so
-- that who waits can look at the clock. Bodies lie in a folder that only its
-- user can look into, and that goes when the sh ends: which it does when the
-- pipe closes, so also where this program is killed. The key is named to curl
-- in a here-document that the shell fills in from the environment: it is on no
-- command line and in no file.
-- @module lunula.compare.pool

local core = require "lunula.core"
local http = require "lunula.hub.http"
local shell = require "lunula.shell"

local pool = {}

local Pool = {}
Pool.__index = Pool

local MOST_BYTES = 2 ^ 22  -- of a reply; more is no answer of any model

-- $1 of `ask` is the slot. What a terminal sends to all of its programs, such
-- as Ctrl-C, is for this one to handle or to die of: the sh goes on until the
-- pipe closes, and then puts all away. A slot whose .exit is there is idle.
local SCRIPT = [[
umask 077
trap '' HUP INT QUIT TERM
dir=$(mktemp -d) && mkfifo "$dir/orders" || exit 1
echo "$dir"
ask() {
  curl=
  trap 'kill "$curl" 2>/dev/null; exit' TERM
  ulimit -f 8192  # blocks of 512 bytes: MOST_BYTES
  @CURL@ --data-binary "@$dir/$1.request" --dump-header "$dir/$1.head" \
    --output "$dir/$1.body" >"$dir/$1.time" 2>"$dir/$1.err" @CONFIG@
  curl=$!
  wait "$curl"
  echo $? >"$dir/$1.exit"
  echo "$1"
}
(trap - TERM; while :; do echo tick; sleep 0.2; done) &
ticker=$!
slots=
while read -r slot; do
  rm -f "$dir/$slot.exit" "$dir/$slot.head" "$dir/$slot.body"
  ask "$slot" &
  eval "job_$slot=\$!"
  case " $slots " in *" $slot "*) ;; *) slots="$slots $slot" ;; esac
done <"$dir/orders"
for slot in $slots; do
  [ -e "$dir/$slot.exit" ] || eval "kill \"\$job_$slot\""
done
kill "$ticker"
wait
rm -rf "$dir"
]]

local WITHOUT_KEY = "--config /dev/null </dev/null &"
local WITH_KEY = [[--config - <<KEY &
header = "Authorization: Bearer $%s"
KEY]]

local function command(o)
  return shell.line {
    "curl", "--silent", "--show-error", "--globoff", "--proto", "=http,https",
    "--connect-timeout", "10", "--max-time", ("%d"):format(o.timeout),
    "--max-filesize", ("%d"):format(MOST_BYTES), "--suppress-connect-headers",
    "--header", "Content-Type: application/json",
    "--write-out", "%{time_total}", "--url", o.url,
  }
end

--- Starts a pool.
-- @tparam table o `url`, to which all goes; `key_env`, the environment
--   variable with a key, nil for none; `timeout` of each question, in seconds
-- @treturn Pool with the methods below
-- @raise when there is no room for its folder
function pool.new(o)
  local script = SCRIPT:gsub("@(%u+)@", { CURL = command(o),
    CONFIG = o.key_env and WITH_KEY:format(o.key_env) or WITHOUT_KEY })
  local process = shell.start(script)
  local dir = process:read "*l"
  if not dir then
    local _, said = process:close()
    error("compare: " .. shell.last_line(said), 0)
  end
  local orders = assert(io.open(dir .. "/orders", "w"))
  return setmetatable({ process = process, dir = dir, orders = orders }, Pool)
end

local function path_of(self, slot, what)
  return ("%s/%d.%s"):format(self.dir, slot, what)
end

local function read(path)
  local file = io.open(path, "rb")
  local text = file and file:read "*a"
  if file then file:close() end
  return text or ""
end

--- Sends a question.
-- @int slot whose question before has its reply
-- @string body JSON
-- @raise when the body can't be written
function Pool:ask(slot, body)
  local path = path_of(self, slot, "request")
  local file, why = io.open(path, "wb")
  local ok = file and file:write(body)
  if not (file and file:close() and ok) then
    error("compare: " .. tostring(why or path), 0)
  end
  self.orders:write(("%d\n"):format(slot))
  self.orders:flush()
end

--- Waits for a reply, or for a moment.
-- @treturn ?int the slot whose question has ended; nil when none has yet
-- @raise when the sh has ended
function Pool:wait()
  local line = self.process:read "*l"
  if not line then error("compare: the shell that asks has ended", 0) end
  return tonumber(line)
end

local function body_of(self, slot)
  local path = path_of(self, slot, "body")
  local _, size = core.io.stat(path)
  if (size or 0) >= MOST_BYTES then return nil end
  return read(path)
end

--- What came back.
-- @int slot as from `wait`
-- @treturn table `code`, curl's exit status; `status` of HTTP, 0 where there
--   was none; `headers`, in lower case; `body`, nil when it is too large;
--   `seconds`; `message`, what curl complained of
function Pool:reply(slot)
  local headers, status = http.headers(read(path_of(self, slot, "head")))
  return {
    code = tonumber(read(path_of(self, slot, "exit"))) or 1,
    status = status or 0, headers = headers,
    seconds = tonumber(read(path_of(self, slot, "time"))) or 0,
    body = body_of(self, slot),
    message = shell.last_line(read(path_of(self, slot, "err"))),
  }
end

--- Ends what is under way, and removes all that lay in the folder.
function Pool:close()
  self.orders:close()
  self.process:close()
end

return pool
