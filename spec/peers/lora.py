"""What peft answers with an adapter, for spec/peers/lora.lua to compare with.

usage: lora.py BASE ADAPTER TEXTS.csv

The CSV has the column text. Prints the logits as JSON: [[x, y], ...]. The base
may be an encoder without a head: that of the adapter is the one that counts.
"""
import csv
import json
import sys

import torch
from peft import PeftModel
from transformers import AutoModelForSequenceClassification, AutoTokenizer


def main(base, adapter, texts):
    with open(texts, newline="") as file:
        texts = [row["text"] for row in csv.DictReader(file)]
    model = PeftModel.from_pretrained(
        AutoModelForSequenceClassification.from_pretrained(base), adapter)
    model.eval()
    inputs = AutoTokenizer.from_pretrained(base)(
        texts, padding=True, truncation=True, max_length=128,
        return_tensors="pt")
    with torch.no_grad():
        print(json.dumps(model(**inputs).logits.tolist()))


main(*sys.argv[1:])
