--- Tensors in files: the safetensors format, read and written.
-- A file is not trusted before every entry of its header is checked, by the
-- rules of the reference implementation
-- (github.com/huggingface/safetensors): tensors cover the data without a
-- hole or an overlap, sizes fit shapes, and nothing overflows.
--
-- Tensors of type F32, I32 and I64 are used where the file lies in memory;
-- training writes to private copies of its pages, never to the file. Replace
-- such a file by renaming another over it, as everything here does: who
-- shortens it in place takes the memory away under the program.
-- @module lunula.safetensors

local core = require "lunula.core"
local json = require "lunula.json"

local safetensors = {}

local HEADER_DEPTH = 3       -- the header, an entry, its shape
local EXACT = 2 ^ 53         -- above it doubles skip integers
local MAX_DIMS = 8
local LENGTH_BYTES = 8
local ALIGNMENT = 64         -- of the data: what is packed begins on a line
local METADATA = "__metadata__"

-- bits of every type that the format knows
local BITS = {
  F4 = 4, F6_E2M3 = 6, F6_E3M2 = 6,
  BOOL = 8, U8 = 8, I8 = 8, F8_E5M2 = 8, F8_E4M3 = 8, F8_E8M0 = 8,
  F8_E4M3FNUZ = 8, F8_E5M2FNUZ = 8,
  I16 = 16, U16 = 16, F16 = 16, BF16 = 16,
  I32 = 32, U32 = 32, F32 = 32,
  F64 = 64, I64 = 64, U64 = 64, C64 = 64,
}

-- those that become tensors
local READABLE = {
  F32 = true, I32 = true, I64 = true, F16 = true, BF16 = true, F64 = true,
}

-- what is written, the wider alignment first, as the reference orders it;
-- before all, what is packed in lines
local STORED = {
  packed = { name = "I8", bytes = 1, rank = 0 },
  int64 = { name = "I64", bytes = 8, rank = 1 },
  float32 = { name = "F32", bytes = 4, rank = 2 },
  int32 = { name = "I32", bytes = 4, rank = 3 },
  bytes = { name = "I8", bytes = 1, rank = 4 },
}
local LINE = 64  -- bytes

-- {======== reading: what the header says ========

-- a name from a file, fit to be shown
local function shown(name)
  return "'" .. name:sub(1, 100):gsub("%c", "?") .. "'"
end

local function fail(path, format, ...)
  error(path .. ": " .. format:format(...), 0)
end

local function is_size(x)
  return type(x) == "number" and x % 1 == 0 and x >= 0 and x <= EXACT
end

local function is_array(t)
  if type(t) ~= "table" then return false end
  for key in pairs(t) do
    if type(key) ~= "number" then return false end
  end
  return true
end

local function count_keys(t)
  local n = 0
  for key, value in pairs(t) do
    if type(key) == "string" then n = n + 1 end
    if type(value) == "table" then n = n + count_keys(value) end
  end
  return n
end

-- What the parser does not tell: a key given twice, of which it keeps the
-- last, and numbers such as 1.0. Both are seen in the text with its strings
-- made empty.
local function check_text(path, header, entries)
  local bare = header:gsub("\\.", ""):gsub('"[^"]*"', '"')
  local _, keys = bare:gsub('"%s*:', "")
  if keys ~= count_keys(entries) then
    fail(path, "the header gives a name twice")
  end
  if bare:find("%d[.eE]") then
    fail(path, "the header has a number that is no integer")
  end
end

local function check_metadata(path, metadata)
  if type(metadata) ~= "table" then
    fail(path, "%s is no object", METADATA)
  end
  for key, value in pairs(metadata) do
    if type(key) ~= "string" or type(value) ~= "string" then
      fail(path, "%s: each value must be a string", METADATA)
    end
  end
  return metadata
end

-- the bytes of a shape; sizes of 0 count as 1 for what may overflow
local function check_shape(path, name, entry)
  if not is_array(entry.shape) then
    fail(path, "tensor %s: its shape is no array", shown(name))
  end
  local count, most = 1, 1.0
  for _, size in ipairs(entry.shape) do
    if not is_size(size) then
      fail(path, "tensor %s: its shape holds %s, expected sizes from 0 on",
        shown(name), tostring(size))
    end
    most = most * math.max(size, 1)
    if most > EXACT then
      fail(path, "tensor %s: more elements than fit in memory", shown(name))
    end
    count = count * size
  end
  return count * BITS[entry.dtype] / 8
end

local function check_offsets(path, name, entry, data_size)
  local offsets = entry.data_offsets
  if not is_array(offsets) or #offsets ~= 2
    or not is_size(offsets[1]) or not is_size(offsets[2]) then
    fail(path, "tensor %s: data_offsets must be two integers from 0 on",
      shown(name))
  end
  if offsets[1] > offsets[2] or offsets[2] > data_size then
    fail(path, "tensor %s: bytes %.0f to %.0f, the data has %.0f (cut short?)",
      shown(name), offsets[1], offsets[2], data_size)
  end
  return offsets[2] - offsets[1]
end

local function check_entry(path, name, entry, data_size)
  if type(entry) ~= "table" then
    fail(path, "tensor %s: its entry is no object", shown(name))
  end
  if not BITS[entry.dtype] then
    fail(path, "tensor %s: unknown dtype %s", shown(name),
      shown(tostring(entry.dtype)))
  end
  for key in pairs(entry) do
    if key ~= "dtype" and key ~= "shape" and key ~= "data_offsets" then
      fail(path, "tensor %s: unknown field %s", shown(name),
        shown(tostring(key)))
    end
  end
  local bytes = check_shape(path, name, entry)
  local given = check_offsets(path, name, entry, data_size)
  if bytes ~= given then
    fail(path, "tensor %s: its shape and dtype need %.0f bytes, its offsets "
      .. "give %.0f", shown(name), bytes, given)
  end
end

-- in the order of the data
local function sorted_names(entries)
  local names = {}
  for name in pairs(entries) do names[#names + 1] = name end
  table.sort(names, function(a, b)
    local x, y = entries[a].data_offsets, entries[b].data_offsets
    if x[1] ~= y[1] then return x[1] < y[1] end
    if x[2] ~= y[2] then return x[2] < y[2] end
    return a < b
  end)
  return names
end

local function check_cover(path, names, entries, data_size)
  local at = 0
  for _, name in ipairs(names) do
    local first = entries[name].data_offsets[1]
    if first < at then
      fail(path, "tensor %s overlaps the one before it", shown(name))
    elseif first > at then
      fail(path, "%.0f bytes before tensor %s belong to no tensor", first - at,
        shown(name))
    end
    at = entries[name].data_offsets[2]
  end
  if at ~= data_size then
    fail(path, "%.0f bytes at the end belong to no tensor", data_size - at)
  end
end

-- the header: entries by name, metadata, names in the order of the data
local function parse(path, header, data_size)
  if header:sub(1, 1) ~= "{" then
    fail(path, "no safetensors file: its header is no JSON object")
  end
  local entries = json.decode(header, path, HEADER_DEPTH)
  check_text(path, header, entries)
  local metadata = check_metadata(path, entries[METADATA] or {})
  entries[METADATA] = nil
  for name, entry in pairs(entries) do
    check_entry(path, name, entry, data_size)
  end
  local names = sorted_names(entries)
  check_cover(path, names, entries, data_size)
  return entries, metadata, names
end

-- }========

-- {======== reading ========

-- why an entry can't become a tensor, or nil
local function unreadable(path, name, entry)
  if not READABLE[entry.dtype] then
    return ("%s: tensor %s is %s; lunula reads F32, F16, BF16, F64, I32, I64")
      :format(path, shown(name), entry.dtype)
  elseif #entry.shape > MAX_DIMS then
    return ("%s: tensor %s has %d dimensions, at most %d are supported")
      :format(path, shown(name), #entry.shape, MAX_DIMS)
  end
end

-- A tensor that can't be read is an error when somebody asks for it, and none
-- when nobody does: checkpoints hold buffers that no model needs.
local function guarded(tensors, reasons)
  return setmetatable(tensors, { __index = function(_, name)
    if reasons[name] then error(reasons[name], 0) end
  end })
end

--- Reads a file.
-- @string path
-- @treturn table `tensors` (by name; F16, BF16 and F64 become float32),
--   `bytes` (by name, those of type I8, as `core.model` reads them),
--   `metadata` (strings by name), `names` (in the order of the file),
--   `unreadable` (by name, why a tensor is not in `tensors`: it is of a type
--   that lunula has not, and asking for it raises that)
-- @raise `PATH: what is wrong` when the file is missing, cut or not valid
-- @usage local file = safetensors.read("model.safetensors")
-- print(file.tensors["classifier.bias"])
function safetensors.read(path)
  local file = core.io.map(path)
  local header, data_size = file:header()
  local entries, metadata, names = parse(path, header, data_size)
  local tensors, bytes, reasons = {}, {}, {}
  for _, name in ipairs(names) do  -- in order: see mapped.h
    local entry = entries[name]
    local first, last = entry.data_offsets[1], entry.data_offsets[2]
    reasons[name] = unreadable(path, name, entry)
    if not reasons[name] then
      tensors[name] = file:tensor(entry.dtype, entry.shape, first)
    elseif entry.dtype == "I8" then
      bytes[name] = file:bytes(last - first, first)
    end
  end
  return {
    tensors = guarded(tensors, reasons), bytes = bytes, unreadable = reasons,
    metadata = metadata, names = names,
  }
end

--- Several files read by `read`, as one.
-- @tparam {table,...} files
-- @treturn table as `read` returns it
-- @raise when two of them have a tensor of one name
-- @usage local all = safetensors.join({ first, second })
function safetensors.join(files)
  local all = { bytes = {}, metadata = {}, names = {} }
  local tensors, reasons = {}, {}
  for _, file in ipairs(files) do
    for _, name in ipairs(file.names) do
      if tensors[name] or reasons[name] then
        error("tensor " .. shown(name) .. " is in two files", 0)
      end
      tensors[name] = rawget(file.tensors, name)
      reasons[name] = file.unreadable[name]
      all.bytes[name] = file.bytes[name]
      all.names[#all.names + 1] = name
    end
    for key, value in pairs(file.metadata) do all.metadata[key] = value end
  end
  all.tensors, all.unreadable = guarded(tensors, reasons), reasons
  return all
end

-- }========

-- {======== writing ========

local function is_tensor(x)
  return type(x) == "userdata" and getmetatable(x) == "lunula.tensor"
end

local function is_bytes(x)
  return type(x) == "table" and type(x.bytes) == "string"
    and type(x.shape) == "table"
end

local function check_written(path, name, value)
  if type(name) ~= "string" or name == METADATA
    or json.utf8(name) ~= name then
    fail(path, "%s can't be the name of a tensor", shown(tostring(name)))
  elseif not is_tensor(value) and not is_bytes(value) then
    fail(path, "%s: expected a tensor, got %s", shown(name), type(value))
  end
end

local function stored_of(value)
  if is_tensor(value) then return STORED[value:dtype()] end
  return #value.bytes % LINE == 0 and STORED.packed or STORED.bytes
end

local function written_names(path, tensors)
  local names, rank = {}, {}
  for name, value in pairs(tensors) do
    check_written(path, name, value)
    names[#names + 1] = name
    rank[name] = stored_of(value).rank
  end
  table.sort(names, function(a, b)
    if rank[a] ~= rank[b] then return rank[a] < rank[b] end
    return a < b
  end)
  return names
end

-- an entry that begins at byte `at` of the data, and where it ends
local function entry_text(name, value, at)
  local stored = stored_of(value)
  local shape = is_tensor(value) and value:shape() or value.shape
  local last, sizes = at + stored.bytes, {}
  for i, size in ipairs(shape) do
    last = at + (last - at) * size
    sizes[i] = ("%d"):format(size)
  end
  return ('%s:{"dtype":"%s","shape":[%s],"data_offsets":[%d,%d]}'):format(
    json.encode(name), stored.name, table.concat(sizes, ","), at, last), last
end

local function header_text(names, tensors, metadata)
  local parts, at = {}, 0
  if metadata then
    parts[1] = json.encode(METADATA) .. ":" .. json.encode(metadata)
  end
  for _, name in ipairs(names) do
    parts[#parts + 1], at = entry_text(name, tensors[name], at)
  end
  local text = "{" .. table.concat(parts, ",") .. "}"
  return text .. (" "):rep(-(#text + LENGTH_BYTES) % ALIGNMENT)
end

local function little_endian_64(n)
  local bytes = {}
  for i = 1, 8 do
    bytes[i] = string.char(n % 256)
    n = math.floor(n / 256)
  end
  return table.concat(bytes)
end

--- Writes a file, whole or not at all: a failure leaves the old one.
-- Views are written by value. No second copy of the tensors is made.
-- @string path
-- @tab tensors by name; numbers of 8 bits are a table `{ bytes = string,
--   shape = {int,...} }`
-- @tab[opt] metadata strings by name; transformers wants `format = "pt"`
-- @raise `PATH: why`, such as a full disk
-- @usage
-- safetensors.write("head.safetensors", { weight = w }, { format = "pt" })
function safetensors.write(path, tensors, metadata)
  if metadata then check_metadata(path, metadata) end
  local names = written_names(path, tensors)
  local header = header_text(names, tensors, metadata)
  local pieces = { little_endian_64(#header) .. header }
  for i, name in ipairs(names) do
    local value = tensors[name]
    pieces[i + 1] = is_tensor(value) and value or value.bytes
  end
  core.io.write(path, pieces)
end

-- }========

return safetensors
