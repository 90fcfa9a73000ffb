--- What is tried on each set of `data.lua`, and what there is to beat.
-- Candidates are flat options over those of their set and of all sets. `from`
-- names an earlier training, SET/CANDIDATE, whose encoder (of the same set its
-- head, too) a candidate begins with, in place of all-MiniLM-L6-v2's own;
-- `rows` those of the set that it learns from, `train` when not said;
-- `teachers` the candidates of its own set whose mean scores it learns beside
-- the labels; `soup` those whose weights it is the mean of.

local bootstrap = require "lunula.metrics.bootstrap"
local EMOTIONS = "goemotions/plain"

local sets = {
  ALL = { pooling = "mean", precision = "bf16", learning_rate = 1e-4,
    warmup_ratio = 0.06, batch_size = 32 },
  {
    name = "goemotions", metric = "macro_f1",
    rival = "BERT-base, macro F1 0.64 (Demszky et al. 2020)",
    all = { problem_type = "multi_label_classification" },
    candidates = {
      { name = "plain", options = { epochs = 2 } },
    },
  },
  {
    name = "banking77", metric = "accuracy",
    rival = "GPT-5.2, 62.2 %; 77.4 % of the 394 whose label it was told",
    all = { learning_rate = 2e-4 },
    candidates = {
      { name = "plain", options = { epochs = 8 } },
    },
  },
  {
    name = "clinc150", metric = "accuracy",
    rival = "BERT-base, 96.9 % in scope, out of scope 40 to 52 % (Larson et "
      .. "al. 2019)",
    all = { learning_rate = 2e-4 },
    candidates = {
      { name = "plain", options = { epochs = 6 } },
    },
  },
  {
    name = "rotten_tomatoes", metric = "accuracy",
    rival = "gpt-3.5-turbo, 89.6 %, inside FreeAL's loop",
    candidates = {
      { name = "plain", options = { epochs = 3 } },
      { name = "emotions-first", from = EMOTIONS, options = { epochs = 3 } },
      { name = "emotions-r-drop", from = EMOTIONS,
        options = { epochs = 3, rdrop_alpha = 1 } },
    },
  },
  {
    name = "sst2_sentences", metric = "accuracy",
    rival = "as high as it goes; a plain PyTorch run of this model: 88.7 %",
    candidates = {
      { name = "plain", options = { epochs = 3 } },
      { name = "r-drop", options = { epochs = 3, rdrop_alpha = 1 } },
      { name = "soup", soup = { "plain", "r-drop" } },
    },
  },
  {
    name = "sst2_phrases", metric = "accuracy",
    rival = "the sentiment neuron, 91.8 %; GPT-1, 91.3 %",
    candidates = {
      { name = "plain", options = { epochs = 2 } },
      { name = "emotions-first", from = EMOTIONS, options = { epochs = 2 } },
      { name = "r-drop", options = { epochs = 2, rdrop_alpha = 1 } },
      { name = "soup", soup = { "plain", "r-drop" } },
      { name = "emotions-r-drop", from = EMOTIONS,
        options = { epochs = 2, rdrop_alpha = 1, seed = 1 } },
      { name = "sentences-last", from = "sst2_phrases/emotions-r-drop",
        rows = "sentences",
        options = { epochs = 2, rdrop_alpha = 1, learning_rate = 2e-5 } },
      { name = "late-soup", soup = { "emotions-r-drop", "sentences-last" } },
    },
  },
}

-- {======== macro F1 ========

local function has(list, label)
  for _, item in ipairs(list) do
    if item == label then return true end
  end
  return false
end

-- for each label, the rows that have it by the one, by the other, by both
local function cases(answers, rows)
  local all = {}
  for i, answer in ipairs(answers) do
    for label in pairs(answer.scores) do
      all[label] = all[label] or {}
      all[label][i] = { has(answer.labels, label) and 1 or 0,
        has(rows[i].labels, label) and 1 or 0 }
    end
  end
  return all
end

--- The macro F1 of answers with several labels, and its interval.
-- @tparam {table,...} answers as from `predict`
-- @tparam {table,...} rows with the right `labels`
-- @treturn table as from `bootstrap.of`
function sets.macro_f1(answers, rows)
  local all = cases(answers, rows)
  return bootstrap.of(#rows, function(numbers)
    local sum, labels = 0, 0
    for _, of_label in pairs(all) do
      local said, right, both = 0, 0, 0
      for _, i in ipairs(numbers) do
        local a, b = of_label[i][1], of_label[i][2]
        said, right, both = said + a, right + b, both + a * b
      end
      labels = labels + 1
      sum = sum + (said + right > 0 and 2 * both / (said + right) or 0)
    end
    return sum / labels
  end, { resamples = 500 })
end

-- }========

return sets
