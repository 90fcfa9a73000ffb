"""Checks lunula's explanations against a plain sum of gradients in PyTorch.

usage: python3 spec/peers/explain.py DIR TEXTS

DIR is a classifier that lunula saved with the pooling of BERT, TEXTS a file
with a text a line. Needs torch and transformers, and lunula built (`make`).
PyTorch sums the gradient at 500 points of the way from the padding to the
text. Prints the largest difference between two words' scores, as a share of
what the scores of the text sum to; exit status 1 when it is above 2 %.
"""
import json
import os
import subprocess
import sys

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

LIMIT, POINTS, TOGETHER = 0.02, 500, 50


def ours(folder, path):
    env = dict(os.environ, LUA_PATH="./lua/?.lua;./lua/?/init.lua;;",
               LUA_CPATH="./?.so;;")
    out = subprocess.run(
        ["lua5.4", "src/bin/lunula", "explain", folder, path, "--format=lines",
         "--json"], env=env, text=True, capture_output=True, check=True)
    return [json.loads(line) for line in out.stdout.splitlines()]


def token_scores(model, ids, padding, label):
    reference = ids.clone()
    reference[0, 1:-1] = padding
    embed = model.get_input_embeddings()
    text, start = embed(ids).detach(), embed(reference).detach()
    total = torch.zeros_like(text)
    for first in range(0, POINTS, TOGETHER):
        at = (torch.arange(first, first + TOGETHER) + 0.5) / POINTS
        words = (start + at[:, None, None] * (text - start)).requires_grad_()
        mask = torch.ones(words.shape[:2])
        logits = model(inputs_embeds=words, attention_mask=mask).logits
        logits.softmax(-1)[:, label].sum().backward()
        total += words.grad.sum(0)
    return (total / POINTS * (text - start)).sum(-1)[0].tolist()


def theirs(model, tokenizer, found):
    tokens = tokenizer(found["text"], truncation=True, max_length=128,
                       return_tensors="pt", return_offsets_mapping=True)
    scores = token_scores(model, tokens["input_ids"], tokenizer.pad_token_id,
                          model.config.label2id[found["label"]])
    words = {}
    for word, score in zip(tokens.word_ids(), scores):
        if word is not None:
            words[word] = words.get(word, 0) + score
    return list(words.values())


folder, path = sys.argv[1:]
tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
model.requires_grad_(False)
worst, explained = 0.0, ours(folder, path)
for found in explained:
    whole = abs(found["score"] - found["baseline"])
    pairs = zip(found["words"], theirs(model, tokenizer, found), strict=True)
    for word, score in pairs:
        worst = max(worst, abs(word["score"] - score) / whole)
print(f"{len(explained)} texts: largest difference {100 * worst:.2f} % of "
      "what the scores sum to")
sys.exit(worst > LIMIT)
