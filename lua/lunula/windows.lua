--- What comes of the windows of long texts, put together.
-- A text that is longer than a model reads is cut into windows that overlap
-- (`truncation = "windows"` of `tokenizer:encode`); each is answered like a
-- text. Here those of a text become one answer.
-- @module lunula.windows

local windows = {}

local function add(sum, values)
  for i, value in ipairs(values) do sum[i] = (sum[i] or 0) + value end
end

--- The mean over the windows of each text.
-- Every window counts the same; the last may be shorter than the others, and
-- has in common with the one before what `stride` says.
-- @tparam {{number,...},...} values one array for each window: probabilities
--   (whose mean is probabilities again), logits, a vector
-- @param text_of int32 tensor [windows], the text of each, from 0 on, all of a
--   text in a row: as from `tokenizer:encode`
-- @treturn {{number,...},...} one array for each text
-- @usage local of_text = windows.mean(logits:softmax(-1):totable(),
--   batch.text_of)
-- @raise when there are not as many arrays as windows
function windows.mean(values, text_of)
  local means, counts = {}, {}
  if #values ~= #text_of then
    error(("windows.mean: %d arrays for %d windows"):format(#values,
      #text_of), 0)
  end
  for i, text in ipairs(text_of:totable()) do
    local t = text + 1
    means[t], counts[t] = means[t] or {}, (counts[t] or 0) + 1
    add(means[t], values[i])
  end
  for t, mean in ipairs(means) do
    for i, sum in ipairs(mean) do mean[i] = sum / counts[t] end
  end
  return means
end

return windows
