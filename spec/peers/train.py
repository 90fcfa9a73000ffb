"""Fine-tunes a classifier with PyTorch and transformers, as most people do,
for spec/peers/bench.lua to compare with.

usage: train.py MODEL_DIR TRAIN.csv [--steps N] [--batch-size 32]
           [--max-length 128] [--learning-rate 5e-5] [--threads N]
           [--by-length]      batches of texts of similar length: less padding
           [--bf16]           torch.autocast

The CSV has the columns text and label. Prints a line of JSON; as lunula's, its
figures are those of all steps but the first, which is timed from the start of
the process.
"""
import argparse
import csv
import json
import os
import random
import resource
import time

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("train")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--max-length", type=int, default=128)
    parser.add_argument("--learning-rate", type=float, default=5e-5)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--by-length", action="store_true")
    parser.add_argument("--bf16", action="store_true")
    return parser.parse_args()


def read(path):
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    labels = sorted({row["label"] for row in rows})
    return ([row["text"] for row in rows],
            [labels.index(row["label"]) for row in rows], len(labels))


def batches(lengths, options):
    order = list(range(len(lengths)))
    random.Random(0).shuffle(order)
    if options.by_length:
        order.sort(key=lambda i: lengths[i])
    size = options.batch_size
    cut = [order[i:i + size] for i in range(0, len(order), size)]
    random.Random(1).shuffle(cut)
    return cut[:options.steps]


def process_age():
    """Seconds since this process began (Linux)."""
    with open("/proc/self/stat") as stat, open("/proc/uptime") as uptime:
        started = int(stat.read().rsplit(")", 1)[1].split()[19])
        return (float(uptime.read().split()[0])
                - started / os.sysconf("SC_CLK_TCK"))


def main():
    options = arguments()
    if options.threads:
        torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    texts, classes, labels = read(options.train)
    tokenizer = AutoTokenizer.from_pretrained(options.model)
    model = AutoModelForSequenceClassification.from_pretrained(
        options.model, num_labels=labels).train()
    encoded = tokenizer(texts, truncation=True,
                        max_length=options.max_length)["input_ids"]
    optimizer = torch.optim.AdamW(model.parameters(),
                                  lr=options.learning_rate)
    tokens, start, first_step = 0, 0, None
    for rows in batches([len(e) for e in encoded], options):
        batch = tokenizer.pad({"input_ids": [encoded[i] for i in rows]},
                              return_tensors="pt")
        tokens += int(batch["attention_mask"].sum())
        with torch.autocast("cpu", torch.bfloat16, enabled=options.bf16):
            loss = model(**batch,
                         labels=torch.tensor([classes[i] for i in rows])).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        if first_step is None:
            first_step = process_age()
            tokens, start = 0, time.monotonic()
    seconds = time.monotonic() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps({"tokens_per_second": tokens / seconds,
                      "seconds": seconds, "peak_rss_mib": peak,
                      "first_step_seconds": first_step}))


main()
