-- The lunula side of tokenizer_speed.py: MODEL_DIR FILE MAX_LENGTH. Prints the
-- seconds that the best of some runs took, and how many tokens it made.

local clock = require("lunula.core").system.monotonic
local tokenizer = require("lunula.tokenizer").load(arg[1])
local most = tonumber(arg[3])

local texts = {}
for line in io.lines(arg[2]) do texts[#texts + 1] = line end

local best, tokens = math.huge, 0
for _ = 1, 3 do
  local start = clock()
  local batch = tokenizer:encode(texts, { max_length = most })
  best, tokens = math.min(best, clock() - start), #batch.ids
end
print(best, tokens)
