--- What the scores of a report are called, for people: one list for all that
-- show them, in the order in which they do.
-- @module lunula.metrics.names

local names = {}

--- `{ field, name }`: the field of a report, and what it is called within a
-- sentence.
names.ALL = {
  { "accuracy", "accuracy" },
  { "macro_f1", "macro F1" },
  { "weighted_f1", "weighted F1" },
  { "micro_f1", "micro F1" },
  { "samples_f1", "samples F1" },
  { "balanced_accuracy", "balanced accuracy" },
  { "macro_precision", "macro precision" },
  { "macro_recall", "macro recall" },
  { "micro_precision", "micro precision" },
  { "micro_recall", "micro recall" },
  { "subset_accuracy", "all labels right" },
  { "mae", "mean absolute error" },
  { "mse", "mean squared error" },
  { "r2", "R\194\178" },
  { "pearson", "Pearson correlation" },
  { "spearman", "Spearman correlation" },
  { "quadratic_kappa", "quadratic weighted kappa" },
  { "hamming_loss", "Hamming loss" },
  { "kappa", "Cohen's kappa" },
  { "roc_auc", "area under the ROC curve" },
  { "average_precision", "average precision" },
  { "mcc", "Matthews correlation" },
  { "ece", "calibration error (ECE)" },
  { "brier", "Brier score" },
  { "perplexity", "perplexity" },
  { "loss", "loss" },
}

return names
