"""How fast lunula's tokenizer is beside the Hugging Face `tokenizers` library.

    python spec/peers/tokenizer_speed.py MODEL_DIR TEXT_FILE...

One thread each, in turns, in the same minutes; the best of several runs. A
text file holds a text a line; a .tsv has a header, and the text is its last
column; the files of a folder (.txt) are a text each. Both sides are given all
texts at once and cut at 512 tokens, ours by `tokenizer:encode` with the ids in
tensors, theirs by `encode_batch_fast`, which is quicker than what
transformers' fast tokenizers call. Run from the root of a built clone.
"""
import glob
import os
import subprocess
import sys
import tempfile
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"
from tokenizers import Tokenizer  # noqa: E402

ENV = dict(os.environ, LUA_PATH="./lua/?.lua;;", LUA_CPATH="./?.so;;")
ROUNDS, MAX_LENGTH = 5, 512


def read(path):
    if os.path.isdir(path):
        names = glob.glob(path + "/**/*.txt", recursive=True)
        texts = [open(n, errors="replace").read() for n in sorted(names)]
        return [" ".join(t.split("\n")) for t in texts]
    with open(path, errors="replace") as f:
        texts = f.read().split("\n")
    if path.endswith(".tsv"):
        texts = [t.split("\t")[-1] for t in texts[1:]]
    return [t for t in texts if t]


def theirs(tokenizer, texts):
    start = time.perf_counter()
    encoded = tokenizer.encode_batch_fast(texts)
    seconds = time.perf_counter() - start
    return seconds, sum(len(e.ids) for e in encoded)


def ours(model, path):
    out = subprocess.run(["lua5.4", "spec/peers/tokenizer_speed.lua", model,
                          path, str(MAX_LENGTH)], stdout=subprocess.PIPE,
                         env=ENV, check=True).stdout.split()
    return float(out[0]), int(out[1])


def compare(model, tokenizer, path):
    texts = read(path)
    size = sum(len(t.encode()) for t in texts)
    best = [1e9, 1e9]
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as f:
        f.write("".join(t + "\n" for t in texts))
        f.flush()
        for _ in range(ROUNDS):
            for side, run in enumerate((
                    lambda: theirs(tokenizer, texts),
                    lambda: ours(model, f.name))):
                seconds, tokens = run()
                best[side] = min(best[side], seconds)
                print("%-10s %8.4f s, %d tokens" % (
                    ("tokenizers", "lunula")[side], seconds, tokens),
                    file=sys.stderr)
    print("%s: %d texts, %.1f MB" % (path, len(texts), size / 1e6))
    for name, seconds in zip(("tokenizers", "lunula"), best):
        print("  %-10s %9.0f texts/s %8.2f MB/s" % (
            name, len(texts) / seconds, size / seconds / 1e6))
    print("  lunula is %.1f times as fast" % (best[0] / best[1]))


def main():
    model = sys.argv[1]
    tokenizer = Tokenizer.from_file(model + "/tokenizer.json")
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_LENGTH)
    for path in sys.argv[2:]:
        compare(model, tokenizer, path)


if __name__ == "__main__":
    main()
