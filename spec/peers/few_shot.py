"""SetFit's side of few_shot.lua: learns from one file of examples.

usage: few_shot.py MODEL EXAMPLES.csv TEST.csv TEXT LABEL [--iterations N]
           [--threads N]

Its defaults throughout (Tunstall et al. 2022; PyPI setfit), but for
--iterations, the number of pairs by example of the paper: the default pairs
of 77 classes are 374,528. Prints the accuracy and what the training took,
which begins when everything is loaded and has run once: seconds, and seconds
of processor time.
"""
import argparse
import contextlib
import csv
import logging
import sys
import time

import torch
from datasets import Dataset
from setfit import SetFitModel, Trainer, TrainingArguments
from transformers import set_seed


def read(path, text, label):
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [row[text] for row in rows], [row[label] for row in rows]


def learn(folder, texts, labels, output, **given):
    set_seed(42)
    model = SetFitModel.from_pretrained(
        folder, labels=sorted(set(labels)), local_files_only=True)
    rows = Dataset.from_dict({"text": texts, "label": labels})
    arguments = TrainingArguments(
        output_dir=output, save_strategy="no", report_to="none",
        show_progress_bar=False, logging_strategy="no", **given)
    trainer = Trainer(model=model, args=arguments, train_dataset=rows)
    begun, used = time.perf_counter(), time.process_time()
    trainer.train()
    return (model, time.perf_counter() - begun, time.process_time() - used)


def main():
    parser = argparse.ArgumentParser()
    for name in ("model", "examples", "test", "text", "label"):
        parser.add_argument(name)
    parser.add_argument("--iterations", type=int)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--output", default="/tmp/setfit")
    given = parser.parse_args()
    if given.threads:
        torch.set_num_threads(given.threads)
    logging.disable(logging.WARNING)
    texts, labels = read(given.examples, given.text, given.label)
    with contextlib.redirect_stdout(sys.stderr):
        learn(given.model, texts, labels, given.output, max_steps=1)
        model, seconds, used = learn(given.model, texts, labels, given.output,
                                     num_iterations=given.iterations)
        tests, gold = read(given.test, given.text, given.label)
        predicted = model.predict(tests, show_progress_bar=False)
    right = sum(str(a) == b for a, b in zip(predicted, gold))
    print(f"{right / len(gold):.6f} {seconds:.3f} {used:.3f}")


if __name__ == "__main__":
    main()
