-- The lunula side of tokenizer.py. From stdin, requests of one line
--   BYTES PAIR_BYTES MAX_LENGTH ADD_SPECIAL TRUNCATION STRIDE
-- (PAIR_BYTES -1 for no pair, MAX_LENGTH 0 for none, ADD_SPECIAL 0 or 1) and
-- the text and pair behind it; to stdout, a JSON line for each.

local cjson = require "cjson"
local tokenizer = require("lunula.tokenizer").load(arg[1])

local function read_bytes(n)
  return n > 0 and io.read(n) or ""
end

for line in io.lines() do
  local fields = {}
  for field in line:gmatch "%S+" do
    fields[#fields + 1] = tonumber(field) or field
  end
  local text, pair = read_bytes(fields[1]), nil
  if fields[2] >= 0 then pair = read_bytes(fields[2]) end
  local batch = tokenizer:encode(text, {
    text_pairs = pair,
    max_length = fields[3] > 0 and fields[3] or false,
    add_special_tokens = fields[4] == 1, truncation = fields[5],
    stride = fields[5] == "windows" and fields[6] or nil,
    spans = true, count_truncated = true,
  })
  io.write(cjson.encode {
    batch.ids:totable(), batch.spans:totable(), batch.types:totable(),
    batch.truncated, tokenizer:decode(batch.ids),
  }, "\n")
end
