"""Trains transformers' BertForMaskedLM on batches that spec/peers/pretrain.lua
has masked. Needs torch and transformers.

usage: pretrain.py FOLDER fp32|bf16 LEARNING_RATE

FOLDER holds the model and batches.jsonl. Prints a line of JSON: `losses`, and
`tokens_per_second` (real tokens) of all steps but the first.
"""
import json
import os
import sys
import time

import torch
from transformers import BertForMaskedLM

IGNORED = -100


def read(path):
    """per batch: padded ids, attention mask, labels, and how many tokens"""
    with open(path) as file:
        for line in file:
            yield padded(json.loads(line))


def padded(batch):
    ends = batch["offsets"]
    longest = max(b - a for a, b in zip(ends, ends[1:]))
    ids = torch.zeros(len(ends) - 1, longest, dtype=torch.long)
    present = torch.zeros_like(ids)
    labels = torch.full_like(ids, IGNORED)
    target = dict(zip(batch["positions"], batch["targets"]))
    for row, (a, b) in enumerate(zip(ends, ends[1:])):
        ids[row, :b - a] = torch.tensor(batch["ids"][a:b])
        present[row, :b - a] = 1
        for at in range(a, b):
            if at in target:
                labels[row, at - a] = target[at]
    return ids, present, labels, ends[-1]


def optimizer_of(model, learning_rate):
    groups = {0.01: [], 0.0: []}
    for name, parameter in model.named_parameters():
        plain = name.endswith("bias") or name.endswith("LayerNorm.weight")
        groups[0.0 if plain else 0.01].append(parameter)
    return torch.optim.AdamW(
        [{"params": p, "weight_decay": d} for d, p in groups.items()],
        lr=learning_rate)


def main():
    folder, precision, learning_rate = sys.argv[1:]
    model = BertForMaskedLM.from_pretrained(
        folder, hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0).train()
    optimizer = optimizer_of(model, float(learning_rate))
    losses, tokens, start = [], 0, None
    batches = list(read(os.path.join(folder, "batches.jsonl")))
    for ids, present, labels, count in batches:
        with torch.autocast("cpu", torch.bfloat16,
                            enabled=precision == "bf16"):
            loss = model(input_ids=ids, attention_mask=present,
                         labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
        if start is None:
            start = time.monotonic()
        else:
            tokens += count
    print(json.dumps({"losses": losses, "tokens_per_second":
                      tokens / (time.monotonic() - start)}))


main()
