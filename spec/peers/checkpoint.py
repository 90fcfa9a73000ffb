"""Checks that transformers predicts what lunula predicts, from one folder.

usage: python3 spec/peers/checkpoint.py DIR TEXTS

DIR is a classifier that lunula saved (`model:save`), TEXTS a file with a text
a line. Needs torch and transformers, and lunula built (`make`). Prints the
largest difference between two probabilities; exit status 1 when it is above
1e-4, or a label differs.
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
  print(json.encode { label = answer.label, scores = answer.scores })
end
"""


def ours(folder, path):
    env = dict(os.environ, LUA_PATH="./lua/?.lua;./lua/?/init.lua;;",
               LUA_CPATH="./?.so;;")
    program = "/dev/stdin"
    out = subprocess.run(["lua5.4", program, folder, path], input=LUA, env=env,
                         text=True, stdout=subprocess.PIPE, check=True).stdout
    return [json.loads(line) for line in out.splitlines()]


def theirs(folder, texts):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    answers = []
    for text in texts:
        tokens = tokenizer(text, truncation=True, max_length=128,
                           return_tensors="pt")
        with torch.no_grad():
            scores = model(**tokens).logits[0].softmax(-1).tolist()
        named = {model.config.id2label[i]: s for i, s in enumerate(scores)}
        answers.append({"label": max(named, key=named.get), "scores": named})
    return answers


folder, path = sys.argv[1:]
texts = open(path, encoding="utf-8").read().splitlines()
worst, wrong = 0.0, 0
for a, b in zip(ours(folder, path), theirs(folder, texts), strict=True):
    wrong += a["label"] != b["label"]
    worst = max([worst] + [abs(a["scores"][k] - s)
                           for k, s in b["scores"].items()])
print(f"{len(texts)} texts: largest difference {worst:.2e}, "
      f"{wrong} labels differ")
sys.exit(worst > LIMIT or wrong > 0)
