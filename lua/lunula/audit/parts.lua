--- Which part of a project a file is: its training, validation or test rows.
-- @module lunula.audit.parts

local parts = {}

local NAMED = {
  train = "train", training = "train", trainset = "train",
  val = "validation", valid = "validation", validation = "validation",
  dev = "validation", devset = "validation", development = "validation",
  test = "test", testing = "test", testset = "test",
}

-- By a word of the file's name: `my_train.csv`, `Data-dev.csv`, `testSet.csv`.
local function named(path)
  local name = path:match "[^/]*$":gsub("(%l)(%u)", "%1 %2"):lower()
  for word in name:gmatch "%a+" do
    if NAMED[word] then return NAMED[word] end
  end
end

--- The part of each file: what its name says; else the first one is to train
-- with, the last of three or more to test with, and the others to validate.
-- @tparam {string,...} paths
-- @treturn {string,...} "train", "validation" or "test" for each
-- @usage parts.of { "train.csv", "dev.csv" }  --> train, validation
function parts.of(paths)
  local found = {}
  for i, path in ipairs(paths) do
    local is_last = i == #paths and #paths >= 3
    found[i] = named(path) or i == 1 and "train" or is_last and "test"
      or "validation"
  end
  return found
end

return parts
