--- Documents for reports, as the commands write them.
local documents = {}

local function share(count, n)
  return { count = count, n = n, share = count / n, low = count / n - 0.1,
    high = count / n + 0.1 }
end

local function steps(n)
  local list = {}
  for i = 1, n do
    list[i] = { step = i, loss = 1 / i + 0.01 * (i % 3),
      learning_rate = 5e-5 }
  end
  return list
end

--- A training of so many steps and three epochs, of which the second is best.
function documents.training(n)
  local history = {}
  for i, accuracy in ipairs { 0.7, 0.9, 0.8 } do
    history[i] = { epoch = i, train_loss = 1 / i, validation = {
      accuracy = accuracy, macro_f1 = accuracy - 0.02, loss = 0.5, n = 50 } }
  end
  return { kind = "training", steps = steps(n or 60), history = history,
    best_epoch = 2, train_seconds = 91, tokens_per_second = 1234.5,
    seed = 7, threads = 2, precision = "fp32", version = "0.1.0" }
end

--- An evaluation with so many labels, "label 1" and on.
function documents.evaluation(n)
  local labels, confusion, per_class = {}, {}, {}
  for i = 1, n do
    labels[i], confusion[i] = "label " .. i, {}
    for j = 1, n do confusion[i][j] = i == j and 90 or 0 end
    confusion[i][i % n + 1] = 10
    per_class[labels[i]] = { precision = 0.9, recall = 0.9,
      f1 = 1 - i / 1000, support = 100 }
  end
  return { kind = "evaluation", n = 100 * n, accuracy = 0.9, macro_f1 = 0.89,
    loss = 0.25, ece = 0.043, labels = labels, confusion = confusion,
    per_class = per_class, model = "my-model", file = "test.csv",
    intervals = { accuracy = { low = 0.871, high = 0.924 } } }
end

function documents.comparison()
  return { kind = "comparison", n = 200, file = "test.csv",
    a = { name = "small", accuracy = 0.9, low = 0.86, high = 0.94,
      macro_f1 = 0.89, tokens_per_second = 9000, cost_per_1000 = 0.0004 },
    b = { name = "large", accuracy = 0.85, low = 0.8, high = 0.9,
      abstained = 4, cost_per_1000 = 0.31 },
    difference = { mean = 0.05, low = 0.01, high = 0.09 },
    mcnemar = { only_a = 25, only_b = 15, p = 0.1539 },
    wins = { a = { { row = 3, text = "A delight.", label = "good",
      a = "good", b = "bad" } }, b = {} },
    left_out = { missing = 2, doubled = 0 } }
end

function documents.effect()
  return { kind = "effect", n = 60, runs = 2,
    before = { file = "train.csv", rows = 100, accuracy = 0.8, low = 0.7,
      high = 0.9 },
    after = { file = "refined.csv", rows = 98, accuracy = 0.85, low = 0.76,
      high = 0.94 },
    difference = { mean = 0.05, low = 0.01, high = 0.09, p = 0.02 },
    changes = { leak = { remove = 2 }, label_error = { relabel = 3 } },
    removed = 2, relabelled = 3, replaced = 0 }
end

function documents.audit()
  return { kind = "audit", issues_file = "issues.csv", seconds = 2.5,
    files = { { file = "train.csv", part = "train", rows = 900 },
      { file = "test.csv", part = "test", rows = 100 } },
    counts = { leak = 18, near_duplicate = 40 },
    severities = { leak = { high = 18 },
      near_duplicate = { high = 3, low = 37 } },
    examples = { leak = { { file = "train.csv", row = 88, kind = "leak",
      severity = "high", evidence = "same text as test.csv:17",
      suggestion = "remove" } } },
    figures = { lengths = { mean = 12.5, longest = 80 },
      balance = { { label = "good", train = 500 },
        { label = "bad", train = 400 } },
      fairness = { judged = { rows = 100, held_out = true },
        all = { n = 1000, errors = share(20, 100),
          labels = { bad = share(400, 1000), good = share(600, 1000) } },
        groups = { { group = "women", by = "terms", n = 50,
          errors = share(8, 50), labels = { bad = share(20, 50),
            good = share(30, 50) }, true_positives = { good = share(9, 10) },
          false_positives = {} } },
        counterfactuals = { { groups = { "women", "men" }, rows = 40,
          asked = 30, flips = share(3, 30), mean_change = 0.0213 } } } },
    skipped = { outlier = "needs --model" } }
end

return documents
