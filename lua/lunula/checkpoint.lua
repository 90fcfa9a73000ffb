--- Model folders as Hugging Face lays them out, read and written.
--
-- A folder holds `config.json`, the weights (`model.safetensors`, or shards
-- and their index) and the tokenizer's files. Writing replaces them together:
-- whatever stops the program, the folder loads as the old model or as the
-- new one. Other files in it are the user's and stay.
--
-- How (the folder can't be swapped as a whole: it may be a mount point, a
-- link, somebody's working directory, and holds more than the model):
--
--   1. `FOLDER/.lunula-save` is made, locked, and filled; all is synced.
--   2. It is renamed to `FOLDER/.lunula-saved`. From here on, in this one
--      step, the new model is the one that counts.
--   3. `config.json` is removed, so that programs which know nothing of this
--      find no model rather than half of two; each file moves to its place,
--      `config.json` last; `.lunula-saved` goes.
--
-- A stop before 2 leaves the old model, and what was gathered is dropped by
-- the next save; after it, the next read or save finishes 3. A file without a
-- byte in `.lunula-saved` stands for one that the new model has not.
-- @module lunula.checkpoint

local contents = require "lunula.contents"
local core = require "lunula.core"
local json = require "lunula.json"
local options = require "lunula.options"
local safetensors = require "lunula.safetensors"

local checkpoint = {}

local CONFIG = "config.json"
local WEIGHTS = "model.safetensors"
local INDEX = WEIGHTS .. ".index.json"
local PICKLED = "pytorch_model.bin"
local GATHERING, DECIDED = "/.lunula-save", "/.lunula-saved"
local TRIES = 10           -- to read while another program saves
local GONE = 2             -- ENOENT

--- The files of a tokenizer, as far as a folder has them. They are replaced as
-- one: a `tokenizer.json` of another model must not stay beside a new
-- `vocab.txt`.
checkpoint.TOKENIZER_FILES = {
  "tokenizer.json", "tokenizer_config.json", "vocab.txt",
  "special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt",
}

--- The version of the format that `lunula.quantize` writes.
checkpoint.QUANTIZED = 1

local function check(ok, why)
  if not ok then error(why, 0) end
  return ok
end

local function read_bytes(path)
  return check(contents(path))
end

-- {======== the end of a save ========

-- os.remove and os.rename, where another program may have done it already
local function remove(path)
  local ok, why, code = os.remove(path)
  check(ok or code == GONE, why)
end

local function move(from, to)
  local ok, why, code = os.rename(from, to)
  check(ok or code == GONE, why)
end

-- moves a gathered file to its place; one without a byte removes what is there
local function place(dir, name)
  local from, to = dir .. DECIDED .. "/" .. name, dir .. "/" .. name
  local kind, size = core.io.stat(from)
  if kind == "file" and size == 0 then
    remove(to)
    remove(from)
  elseif kind then
    move(from, to)
  end
end

-- step 3, from wherever it was left. Two programs may do it at once.
local function finish(dir)
  local decided = dir .. DECIDED
  if not core.io.stat(decided) then return end
  local ok, names = pcall(core.io.list, decided)
  if not ok then return check(not core.io.stat(decided), names) end
  if core.io.stat(decided .. "/" .. CONFIG) then
    remove(dir .. "/" .. CONFIG)
    core.io.sync(dir)
  end
  for _, name in ipairs(names) do
    if name ~= CONFIG then place(dir, name) end
  end
  place(dir, CONFIG)
  core.io.sync(dir)
  remove(decided)
end

-- }========

-- {======== reading ========

local function shard_names(path)
  local index = json.decode(read_bytes(path), path)
  local map = type(index) == "table" and index.weight_map
  check(type(map) == "table", path .. ": no weight_map in it")
  local names, seen = {}, {}
  for tensor, file in pairs(map) do
    check(type(file) == "string" and not file:find("[/%z]")
      and file:find("%.safetensors$"), ("%s: tensor '%s' is in no file of "
      .. "this folder that is named *.safetensors"):format(path, tensor))
    if not seen[file] then names[#names + 1] = file end
    seen[file] = true
  end
  table.sort(names)
  return names, map
end

local function read_shards(dir)
  local names, map = shard_names(dir .. "/" .. INDEX)
  local files = {}
  for i, name in ipairs(names) do
    files[i] = safetensors.read(dir .. "/" .. name)
    for tensor, file in pairs(map) do
      check(file ~= name or rawget(files[i].tensors, tensor)
        or files[i].unreadable[tensor], ("%s/%s: no tensor '%s', which %s "
        .. "says is in it"):format(dir, name, tensor, INDEX))
    end
  end
  return safetensors.join(files)
end

local function read_weights(dir)
  if core.io.stat(dir .. "/" .. WEIGHTS) then
    return safetensors.read(dir .. "/" .. WEIGHTS)
  elseif core.io.stat(dir .. "/" .. INDEX) then
    return read_shards(dir)
  elseif core.io.stat(dir .. "/" .. PICKLED) then
    error(("%s: holds %s, a Python pickle, and no %s; convert it in Python "
      .. "with transformers: AutoModel.from_pretrained(%q)"
      .. ".save_pretrained(%q, safe_serialization=True)")
      :format(dir, PICKLED, WEIGHTS, dir, dir), 0)
  end
  error(("%s: no weights: neither %s nor %s"):format(dir, WEIGHTS, INDEX), 0)
end

local function read_config(dir)
  local path = dir .. "/" .. CONFIG
  local config = json.decode(read_bytes(path), path)
  return check(type(config) == "table" and config, path .. ": no JSON object")
end

--- Reads the tokenizer's files of a folder. A save that was cut short is
-- finished first, as by `read`.
-- @string dir
-- @treturn table strings by name, of those of `TOKENIZER_FILES` that are there
-- @raise when one can't be read
-- @usage local vocabulary = checkpoint.tokenizer_files(dir)["vocab.txt"]
function checkpoint.tokenizer_files(dir)
  finish(dir)
  local files = {}
  for _, name in ipairs(checkpoint.TOKENIZER_FILES) do
    local path = dir .. "/" .. name
    local kind, size = core.io.stat(path)
    if kind == "file" and size > 0 then files[name] = read_bytes(path) end
  end
  return files
end

-- whether weights are in 8 bits, as lunula.quantize writes them
local function is_quantized(config, dir)
  local q = config.quantization_config
  if q == nil or q == json.null then return false end
  local how = type(q) == "table" and tostring(q.quant_method) or "?"
  check(how == "lunula", ("%s/%s: quantized by '%s', which lunula can't read")
    :format(dir, CONFIG, how))
  check(q.version == checkpoint.QUANTIZED, ("%s/%s: quantized by version %s "
    .. "of lunula's format, this reads %d"):format(dir, CONFIG,
    tostring(q.version), checkpoint.QUANTIZED))
  return true
end

local function read_once(dir)
  local config = read_config(dir)
  local quantized = is_quantized(config, dir)
  local weights = read_weights(dir)
  return {
    dir = dir, config = config, tensors = weights.tensors,
    bytes = weights.bytes, quantized = quantized,
    metadata = weights.metadata, files = checkpoint.tokenizer_files(dir),
  }
end

-- what changes with every save, which brings a new config.json; nil while a
-- save is at its end
local function state(dir)
  if core.io.stat(dir .. DECIDED) then return nil end
  local _, _, id = core.io.stat(dir .. "/" .. CONFIG)
  return id or "none"
end

--- Reads a model folder.
-- A save that was cut short is finished first, which writes to the folder.
-- Read while another program saves, it is one model or the other, never a mix.
-- @string dir
-- @treturn table `dir`; `config` (config.json, null as `json.null`);
--   `quantized`, whether weights are in 8 bits (see `lunula.quantize`);
--   `tensors` and `bytes` by name and `metadata` (see `safetensors.read`);
--   `files`, the tokenizer's files as strings by name
-- @raise `PATH: what is wrong` when something is missing or not valid
-- @usage local model = checkpoint.read("my-model")
-- print(model.config.hidden_size)
function checkpoint.read(dir)
  check(core.io.stat(dir) == "folder", dir .. ": no such folder")
  for _ = 1, TRIES do
    finish(dir)
    local before = state(dir)
    local ok, model = pcall(read_once, dir)
    if before and before == state(dir) then
      return check(ok and model, model)
    end
  end
  error(dir .. ": another program saves here again and again", 0)
end

-- }========

-- {======== writing ========

--- Makes a folder, and those that it is to lie in.
-- @string path may be there already
-- @raise `PATH: why` when it can't be made
-- @usage checkpoint.make_folders("models/2026/reviews")
function checkpoint.make_folders(path)
  local parent = path:match("^(.*[^/])/+[^/]+/*$")
  if parent and not core.io.stat(parent) then
    checkpoint.make_folders(parent)
  end
  core.io.make_folder(path)
end

local function check_name(name)
  check(type(name) == "string" and not name:find("[/%z]") and name ~= ""
    and name ~= "." and name ~= ".." and name ~= CONFIG and name ~= WEIGHTS,
    ("checkpoint: files: '%s' can't be the name of one"):format(
      tostring(name)))
end

-- the files beside config and weights, by name; a file that the new model has
-- not is empty
local function other_files(files)
  local all = {}
  if not files then return all end
  for _, name in ipairs(checkpoint.TOKENIZER_FILES) do all[name] = "" end
  for name, bytes in pairs(files) do
    check_name(name)
    check(type(bytes) == "string" and bytes ~= "",
      ("checkpoint: files: '%s' must be a string, not empty"):format(name))
    all[name] = bytes
  end
  return all
end

-- step 1: the folder, locked and without what a killed save left in it
local function open_gathering(dir)
  local gathering = dir .. GATHERING
  core.io.make_folder(gathering)
  local lock = check(core.io.lock(gathering),
    dir .. ": another program is saving here")
  for _, name in ipairs(core.io.list(gathering)) do
    remove(gathering .. "/" .. name)
  end
  return gathering, lock
end

local function drop(gathering)
  for _, name in ipairs(core.io.list(gathering)) do
    os.remove(gathering .. "/" .. name)
  end
  os.remove(gathering)
end

-- the rest of step 1, and step 2
local function gather(dir, gathering, model, others)
  core.io.write(gathering .. "/" .. CONFIG, { json.pretty(model.config) })
  safetensors.write(gathering .. "/" .. WEIGHTS, model.tensors,
    { format = "pt" })
  for name, bytes in pairs(others) do
    core.io.write(gathering .. "/" .. name, { bytes })
  end
  check(os.rename(gathering, dir .. DECIDED))
  core.io.sync(dir)
end

local function check_model(model)
  for _, name in ipairs { "config", "tensors" } do
    check(type(model[name]) == "table", ("checkpoint.write: %s: expected a "
      .. "table, got %s"):format(name, type(model[name])))
  end
end

--- Writes a model folder, which may exist: its model is replaced as a whole.
-- @string dir made when it is missing, its parents too
-- @tab model
-- @tab model.config for config.json
-- @tab model.tensors by name, for model.safetensors
-- @tab[opt] model.files strings by file name, such as the tokenizer's. With it
--   the tokenizer's files that are in the folder and not among these go;
--   without it they stay.
-- @raise `PATH: why`, such as a full disk; the folder holds the old model
-- @usage checkpoint.write("my-model", { config = config, tensors = tensors,
--   files = { ["vocab.txt"] = vocabulary } })
function checkpoint.write(dir, model)
  local none = options.none
  model = options.check(model, { config = none, tensors = none, files = none },
    "checkpoint.write")
  check_model(model)
  local others = other_files(model.files)
  checkpoint.make_folders(dir)
  finish(dir)
  local gathering, lock = open_gathering(dir)
  local ok, why = pcall(gather, dir, gathering, model, others)
  if not ok then pcall(drop, gathering) end
  lock:release()
  check(ok, why)
  finish(dir)
end

-- }========

return checkpoint
