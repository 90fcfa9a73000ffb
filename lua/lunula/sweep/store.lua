--- The folder of a sweep, which outlives the program.
--
--   DIR/sweep.json         what the sweep is; another one can't go on here
--   DIR/runs/001/run.json  a run's options and what came of them
--   DIR/runs/001/model     its model, until it is known which is better
--   DIR/best               the model of the best run so far
--
-- Each file is written whole or not at all. A run is over when its run.json
-- says "done" or "failed". Only then its model is moved or removed: where that
-- was cut short, it is done when the sweep goes on and comes to this run.
-- @module lunula.sweep.store

local checkpoint = require "lunula.checkpoint"
local core = require "lunula.core"
local json = require "lunula.json"
local shell = require "lunula.shell"

local store = {}

local Store = {}
Store.__index = Store

local OVER = { done = true, failed = true }
local BEST, OLD = "/best", "/.best-before"

local function fail(message, ...)
  error(message:format(...), 0)
end

local function read_json(path)
  local file, why = io.open(path, "rb")
  if not file then error(why, 0) end
  local text = file:read "*a"
  file:close()
  return json.decode(text or "", path)
end

local function remove(folder)
  if core.io.stat(folder) then shell.must { "rm", "-rf", "--", folder } end
end

local function rename(from, to)
  local ok, why = os.rename(from, to)
  if not ok then error(why, 0) end
end

local function write_json(path, value)
  core.io.write(path, { json.pretty(json.finite(value)) })
end

local function path_of(self, number)
  return ("%s/runs/%03d"):format(self.dir, number)
end

-- {======== what the sweep is ========

local function names_of(a, b)
  local names, seen = {}, {}
  for _, t in ipairs { a, b } do
    for name in pairs(t) do
      if not seen[name] then names[#names + 1] = name end
      seen[name] = true
    end
  end
  table.sort(names)
  return names
end

local function is_same(a, b)
  return json.encode { a } == json.encode { b }
end

-- The numbers of the runs that have a folder.
local function numbers_of(self)
  local runs, numbers = self.dir .. "/runs", {}
  for _, name in ipairs(core.io.stat(runs) and core.io.list(runs) or {}) do
    if name:find "^%d+$" then numbers[#numbers + 1] = tonumber(name) end
  end
  return numbers
end

-- Whether a run has brought anything.
local function has_done_runs(self)
  for _, number in ipairs(numbers_of(self)) do
    local record = self:read(number)
    if record and record.status == "done" then return true end
  end
  return false
end

local function check_same(self, before, identity)
  for _, name in ipairs(names_of(before, identity)) do
    if not is_same(before[name], identity[name]) then
      fail("sweep: %s was begun with other %s; give another folder, or what "
        .. "it was begun with (see %s/sweep.json)", self.dir, name, self.dir)
    end
  end
end

-- Runs that failed say nothing of another sweep.
local function forget_runs(self)
  for _, number in ipairs(numbers_of(self)) do
    remove(path_of(self, number))
  end
end

-- One of which nothing is done yet may become another: a mistake in it was
-- the reason, more often than not.
local function go_on(self, identity)
  local path = self.dir .. "/sweep.json"
  local before = read_json(path)
  if type(before) ~= "table" then fail("%s: no JSON object", path) end
  if has_done_runs(self) then return check_same(self, before, identity) end
  if not is_same(before, identity) then
    forget_runs(self)
    write_json(path, identity)
  end
end

local function begin(self, identity)
  for _, name in ipairs { "runs", "best" } do
    if core.io.stat(self.dir .. "/" .. name) then
      fail("sweep: %s/%s is there, and no sweep.json: no folder of a sweep",
        self.dir, name)
    end
  end
  write_json(self.dir .. "/sweep.json", identity)
end

--- Opens the folder of a sweep, which nobody else may use meanwhile.
-- @string dir made when it is not there
-- @tparam table identity what must be the same for the sweep to go on
-- @treturn Store
-- @raise when another sweep is there, or is running there
function store.open(dir, identity)
  local self = setmetatable({ dir = dir }, Store)
  checkpoint.make_folders(dir)
  self.lock = core.io.lock(dir)
  if not self.lock then fail("sweep: another one is running in %s", dir) end
  local ok, why = pcall(core.io.stat(dir .. "/sweep.json") and go_on or begin,
    self, identity)
  if ok then return self end
  self.lock:release()
  error(why, 0)
end

--- Lets others use the folder.
function Store:close()
  self.lock:release()
end

-- }========

-- {======== runs ========

--- What came of a run.
-- @int number from 1
-- @treturn ?table its record; nil when it is not over
-- @raise when its run.json is not one
function Store:read(number)
  local path = path_of(self, number) .. "/run.json"
  if not core.io.stat(path) then return nil end
  local record = read_json(path)
  if type(record) ~= "table" or type(record.choice) ~= "table"
      or type(record.options) ~= "table" then
    fail("%s: no record of a run", path)
  end
  return OVER[record.status] and record or nil
end

--- Writes a run's record.
-- @tparam table record with `number`
function Store:write(record)
  local path = path_of(self, record.number)
  checkpoint.make_folders(path)
  write_json(path .. "/run.json", record)
end

--- Where a run saves its model.
-- @int number
-- @treturn string
function Store:model(number)
  return path_of(self, number) .. "/model"
end

--- Makes a run's model the best one; nothing where it is that already.
-- @int number of a run that is over
function Store:take(number)
  local model, best, old = self:model(number), self.dir .. BEST, self.dir .. OLD
  remove(old)
  if not core.io.stat(model) then return end
  if core.io.stat(best) then rename(best, old) end
  rename(model, best)
  core.io.sync(self.dir)
  remove(old)
end

--- Removes a run's model.
-- @int number
function Store:drop(number)
  remove(self:model(number))
end

-- }========

return store
