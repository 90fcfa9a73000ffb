--- What `lunula compare` says of massive models whose answers were published,
-- beside models that `spec/peers/goliath.lua` trained.
-- usage: lua5.4 spec/peers/compare.lua DATA RUNS
--   DATA  the folder of `spec/peers/goliath/data.lua`
--   RUNS  that of its trainings; of each set the candidate "plain" is taken
-- Prints each command and its page, and fails where the accuracy of the other
-- system is not what its authors' data give: gpt-3.5-turbo 89.6 % of 1,066 (46
-- abstentions are wrong), GPT-5.2 62.2 % of 500. Its answers' file ends with a
-- line of totals, which has no text; their texts are rows of the training part.

local json = require "lunula.json"
local shell = require "lunula.shell"

local DATA, RUNS = arg[1], arg[2]

local CASES = {
  {
    n = 1066, right = 955, abstained = 46,
    words = { RUNS .. "/rotten_tomatoes/plain",
      DATA .. "/rt_gpt35/rotten_tomatoes_test.csv",
      "--against", DATA .. "/rt_gpt35/train_chat_bt.csv", "--no-header",
      "--prediction", "1", "--prediction-text", "2", "--abstain", "-1" },
  },
  {
    -- the same answers, of a file that is read as if it had no texts
    n = 1066, right = 955, abstained = 46,
    words = { RUNS .. "/rotten_tomatoes/plain",
      DATA .. "/rt_gpt35/rotten_tomatoes_test.csv",
      "--against", DATA .. "/rt_gpt35/train_chat_bt.csv", "--no-header",
      "--prediction", "1", "--texts", DATA .. "/rt_gpt35/train.csv",
      "--texts-text", "2", "--abstain", "-1" },
  },
  {
    n = 500, right = 311, abstained = 0,
    words = { RUNS .. "/banking77/plain", DATA .. "/banking77/train.csv",
      "--partial", "--against", DATA
        .. "/banking77_gpt5/Banking77_Eval_3_Models - gpt_5_2.csv",
      "--prediction", "prediction", "--prediction-text", "user_query",
      "--unknown", "wrong" },
  },
}

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "*a"
  file:close()
  os.remove(path)
  return json.decode(text, path)
end

local function run(case)
  local words, path = { "lunula", "compare" }, os.tmpname()
  for _, word in ipairs(case.words) do words[#words + 1] = word end
  print("$ " .. shell.line(words))
  words[#words + 1] = "--json=" .. path
  table.remove(words, 1)
  table.insert(words, 1, "src/bin/lunula")
  table.insert(words, 1, "lua5.4")
  print(shell.must(words))
  return read(path)
end

for _, case in ipairs(CASES) do
  local found = run(case)
  assert(found.n == case.n, "other rows")
  assert(math.floor(found.b.accuracy * found.n + 0.5) == case.right,
    "another accuracy")
  assert(found.b.abstained == case.abstained, "other abstentions")
end
print "as published"
