"""Checks that transformers predicts what lunula predicts, from one folder.

usage: python3 spec/peers/checkpoint.py DIR TEXTS

DIR is a classifier that lunula saved (`model:save`), TEXTS a file with a text
a line. Needs torch and transformers, and lunula built (`make`). Prints the
largest difference between two probabilities, or of a regression two values in
units of the larger; exit status 1 when it is above 1e-4, or a label differs.
What transformers says of the config's problem_type is what is compared, and of
ordinal labels what CORAL makes of it.
"""
import json
import os
import subprocess
import sys

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

LIMIT = 1e-4
LUA = """
local lunula = require "lunula"
local json = require "lunula.json"
local texts = {}
for line in io.lines(arg[2]) do texts[#texts + 1] = line end
for _, answer in ipairs(lunula.classifier(arg[1]):predict(texts)) do
  if answer.labels then json.array(answer.labels) end
  print(json.encode(answer))
end
"""


def ours(folder, path):
    env = dict(os.environ, LUA_PATH="./lua/?.lua;./lua/?/init.lua;;",
               LUA_CPATH="./?.so;;")
    program = "/dev/stdin"
    out = subprocess.run(["lua5.4", program, folder, path], input=LUA, env=env,
                         text=True, stdout=subprocess.PIPE, check=True).stdout
    return [json.loads(line) for line in out.splitlines()]


def answer_of(logits, config):
    """what a prediction of lunula's has, from transformers' logits"""
    if config.problem_type == "regression":
        return {"value": logits.item()}
    names = [config.id2label[i] for i in range(len(logits))]
    if config.problem_type == "single_label_classification":
        scores = dict(zip(names, logits.softmax(-1).tolist()))
        return {"label": max(scores, key=scores.get), "scores": scores}
    above = logits.sigmoid().tolist()
    if getattr(config, "classifier_problem_type", None) == "ordinal":
        names = config.classifier_labels
        steps = [1] + above + [0]
        return {"label": names[sum(p > 0.5 for p in above)],
                "scores": {name: steps[i] - steps[i + 1]
                           for i, name in enumerate(names)}}
    least = getattr(config, "classifier_thresholds", None)
    least = least or [0.5] * len(above)
    return {"labels": [n for n, p, t in zip(names, above, least) if p >= t],
            "scores": dict(zip(names, above))}


def theirs(folder, texts):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    answers = []
    for text in texts:
        tokens = tokenizer(text, truncation=True, max_length=128,
                           return_tensors="pt")
        with torch.no_grad():
            logits = model(**tokens).logits[0]
        answers.append(answer_of(logits, model.config))
    return answers


def difference(a, b):
    if "value" in b:
        most = max(abs(a["value"]), abs(b["value"]), 1)
        return abs(a["value"] - b["value"]) / most
    return max(abs(a["scores"][k] - s) for k, s in b["scores"].items())


folder, path = sys.argv[1:]
texts = open(path, encoding="utf-8").read().splitlines()
worst, wrong = 0.0, 0
for a, b in zip(ours(folder, path), theirs(folder, texts), strict=True):
    wrong += any(a[k] != b[k] for k in ("label", "labels") if k in b)
    worst = max(worst, difference(a, b))
print(f"{len(texts)} texts: largest difference {worst:.2e}, "
      f"{wrong} labels differ")
sys.exit(worst > LIMIT or wrong > 0)
