--- A model's files from the Hugging Face hub.
-- Small files come whole each time; the weights go on from where an earlier
-- attempt ended. All are of the commit that the first one was of.
-- @module lunula.hub.model

local files = require("lunula.core").io
local cache = require "lunula.hub.cache"
local http = require "lunula.hub.http"

local model = {}

local ATTEMPTS = 3  -- at a transfer that is cut

-- in this order: what may be missing is known before the weights come
local FILES = {
  { name = "config.json", required = true },
  { name = "tokenizer.json" },
  { name = "tokenizer_config.json" },
  { name = "vocab.txt" },
  { name = "special_tokens_map.json" },
  { name = "modules.json" },
  { name = "sentence_bert_config.json" },
  { name = "config_sentence_transformers.json" },
  { name = "1_Pooling/config.json" },
  { name = "README.md" },
  { name = cache.WEIGHTS, required = true, resume = true },
}

--- Where the hub is: `$HF_ENDPOINT`, else https://huggingface.co.
-- @treturn string without a slash at its end
-- @raise when HF_ENDPOINT is no HTTP address
function model.endpoint()
  local endpoint = os.getenv("HF_ENDPOINT") or ""
  if endpoint == "" then return "https://huggingface.co" end
  if not endpoint:find("^https?://[%w%.%-%[%]:/_]+$") then
    error("HF_ENDPOINT: expected http://... or https://..., got "
      .. endpoint, 0)
  end
  return (endpoint:gsub("/+$", ""))
end

local function address(fetch, name)
  return ("%s/%s/resolve/%s/%s"):format(model.endpoint(), fetch.repository,
    fetch.commit or "main", name)
end

local ABSENT = { [401] = true, [403] = true, [404] = true }

local function refusal(fetch, file, reply)
  local repository, endpoint = fetch.repository, model.endpoint()
  if reply.headers["x-error-code"] == "GatedRepo" then
    return ("%s: accept its terms at %s/%s and set HF_TOKEN")
      :format(repository, endpoint, repository)
  elseif file == FILES[1] and ABSENT[reply.status] then
    return ("%s: no such model at %s, or a private one (set HF_TOKEN)")
      :format(repository, endpoint)
  elseif reply.status == 404 then
    return ("%s: no %s at %s"):format(repository, file.name, endpoint)
  elseif reply.cut then
    return ("%s: %s was cut at %d bytes; fetch again to go on from there")
      :format(repository, file.name, cache.size(fetch.out .. "/" .. file.name))
  end
  return ("%s: %s: %s"):format(repository, file.name, reply.message)
end

local function path_of(fetch, file)
  return fetch.out .. "/" .. file.name
end

local function get(fetch, file)
  local report = fetch.on_progress
  return http.get(address(fetch, file.name), path_of(fetch, file), {
    token = true, resume = file.resume,
    on_progress = report and function(done, total)
      report(file.name, done, total)
    end })
end

-- the hub names the SHA-256 of what it keeps as a large file
local function expected_hash(reply)
  local etag = (reply.headers["x-linked-etag"] or ""):match('^"?(%x+)"?$')
  return etag and #etag == 64 and etag or nil
end

-- Weights that were put together of two attempts are believed only when
-- their hash says so; else they come once more, whole.
local function get_trusted(fetch, file)
  local reply
  for _ = 1, ATTEMPTS do
    reply = get(fetch, file)
    if not reply.cut then break end
  end
  if not reply.ok or not reply.resumed then return reply end
  local hash = expected_hash(reply)
  if hash and cache.verify(path_of(fetch, file), hash) then return reply end
  os.remove(path_of(fetch, file))
  return get(fetch, file)
end

local function check_hash(fetch, file, reply)
  local hash = expected_hash(reply)
  if not hash then return end
  local fine, found = cache.verify(path_of(fetch, file), hash)
  if not fine then
    os.remove(path_of(fetch, file))
    error(("%s: %s is not what the hub announced: SHA-256 %s, should be %s")
      :format(fetch.repository, file.name, found, hash), 0)
  end
end

local function fetch_file(fetch, file)
  local reply = get_trusted(fetch, file)
  if reply.unreachable then return false, reply.message end
  local optional = not file.required and reply.status == 404
  if not reply.ok and not optional then
    error(refusal(fetch, file, reply), 0)
  end
  if reply.ok then check_hash(fetch, file, reply) end
  local commit = reply.headers["x-repo-commit"] or ""
  fetch.commit = fetch.commit or commit:match("^%x+$")
  return true
end

local function check_tokenizer(fetch)
  if not cache.size(fetch.out .. "/tokenizer.json")
    and not cache.size(fetch.out .. "/vocab.txt") then
    error(("%s: neither tokenizer.json nor vocab.txt at %s")
      :format(fetch.repository, model.endpoint()), 0)
  end
end

-- the model card begins with a few lines of YAML
local function license_of(out)
  local card = cache.read(out .. "/README.md") or ""
  local head = card:match("^%-%-%-\r?\n(.-)\n%-%-%-") or ""
  return ("\n" .. head):match("\nlicense:%s*([%w%.%-]+)")
    or "not stated by its authors"
end

--- Gets a model's files.
-- @string repository such as "org/model"
-- @string out the folder to write to
-- @func[opt] on_progress called with a file's name, bytes so far and in all
-- @treturn ?table its record: `source`, `license`, `revision`; nil when the
-- hub can't be reached
-- @treturn ?string why not
-- @raise when there is no such model, it lacks a file that is needed, a
-- transfer is cut or what arrived is not what was announced
function model.fetch(repository, out, on_progress)
  local fetch = { repository = repository, out = out,
    on_progress = on_progress }
  files.make_folder(out .. "/1_Pooling")
  for _, file in ipairs(FILES) do
    if file.name == cache.WEIGHTS then check_tokenizer(fetch) end
    local reached, why = fetch_file(fetch, file)
    if not reached then return nil, why end
  end
  os.remove(out .. "/1_Pooling")  -- stays unless it is empty
  return { source = model.endpoint() .. "/" .. repository,
    license = license_of(out), revision = fetch.commit }
end

return model
