"""Checks that lunula's sentence vectors are those of sentence-transformers.

usage: python3 spec/peers/embedder.py DIR TEXTS

DIR is a folder of sentence-transformers (all-MiniLM-L6-v2), TEXTS a file with
a text a line. Needs sentence-transformers, and lunula built (`make`). Prints
the largest difference between two numbers of a vector, and how long each took;
exit status 1 when the difference is above 1e-4.
"""
import json
import os
import subprocess
import sys
import time

os.environ["HF_HUB_OFFLINE"] = "1"

import torch  # noqa: E402
from sentence_transformers import SentenceTransformer  # noqa: E402

LIMIT = 1e-4
LUA = """
local lunula = require "lunula"
local json = require "lunula.json"
local system = require "lunula.core".system
local texts = {}
for line in io.lines(arg[2]) do texts[#texts + 1] = line end
local embedder = lunula.embedder(arg[1])
local begun = system.monotonic()
local vectors = embedder:encode(texts)
io.stderr:write(system.monotonic() - begun, "\\n")
for _, vector in ipairs(vectors:totable()) do print(json.encode(vector)) end
"""


def ours(folder, path):
    env = dict(os.environ, LUA_PATH="./lua/?.lua;./lua/?/init.lua;;",
               LUA_CPATH="./?.so;;")
    out = subprocess.run(["lua5.4", "/dev/stdin", folder, path], input=LUA,
                         env=env, text=True, capture_output=True, check=True)
    vectors = [json.loads(line) for line in out.stdout.splitlines()]
    return torch.tensor(vectors), float(out.stderr)


def theirs(folder, path):
    texts = open(path, encoding="utf-8").read().splitlines()
    model = SentenceTransformer(folder, device="cpu")
    begun = time.monotonic()
    vectors = model.encode(texts, convert_to_tensor=True)
    return vectors, time.monotonic() - begun


folder, path = sys.argv[1:]
(a, a_seconds), (b, b_seconds) = ours(folder, path), theirs(folder, path)
worst = (a - b).abs().max().item()
print(f"{len(a)} texts: largest difference {worst:.2e}; lunula "
      f"{a_seconds:.1f} s, sentence-transformers {b_seconds:.1f} s")
sys.exit(worst > LIMIT)
