"""Compares lunula's safetensors with the library that owns the format.

    python spec/peers/weights.py fixtures   makes spec/fixtures/safetensors
    python spec/peers/weights.py check      both directions, random files
    python spec/peers/weights.py fuzz [N]   the same verdict on broken files

Run at the root of a built checkout. Needs torch, numpy and safetensors
(made with torch 2.13 and safetensors 0.8.0). Neither the build nor the specs
need it.
"""

import json
import os
import random
import struct
import subprocess
import sys
import tempfile

import torch
from safetensors import SafetensorError
from safetensors.torch import load, load_file, save, save_file

FIXTURES = "spec/fixtures/safetensors"
READ_AS_FLOAT = (torch.float16, torch.bfloat16, torch.float64)
READABLE = READ_AS_FLOAT + (torch.float32, torch.int32, torch.int64)

# prints a line for each tensor: name in hex, dtype, shape, exact values
SHOW = r"""
local safetensors = require "lunula.safetensors"
local function flat(t, out)
  if type(t) ~= "table" then out[#out + 1] = ("%.17g"):format(t) return out end
  for _, inner in ipairs(t) do flat(inner, out) end
  return out
end
local file = safetensors.read(arg[1])
for key, value in pairs(file.metadata) do print("metadata", key, value) end
for name, t in pairs(file.tensors) do
  local hex = name:gsub(".", function(c) return ("%02x"):format(c:byte()) end)
  print("tensor", hex, t:dtype(), table.concat(t:shape(), " "),
    table.concat(flat(t:totable(), {}), " "))
end
"""

# writes again what it read
COPY = r"""
local safetensors = require "lunula.safetensors"
local file = safetensors.read(arg[1])
safetensors.write(arg[2], file.tensors, file.metadata)
"""

# for each file named on stdin: ok, or why not
JUDGE = r"""
local safetensors = require "lunula.safetensors"
for path in io.lines() do
  local ok, why = pcall(safetensors.read, path)
  print(ok and "ok" or (why:gsub("\n", " ")))
end
"""


def lua(program, *args, stdin=None):
    env = dict(os.environ, LUA_PATH="./lua/?.lua;;", LUA_CPATH="./?.so;;")
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(program)
        script.flush()
        return subprocess.run(
            ["lua5.4", script.name, *args], env=env, input=stdin,
            check=True, capture_output=True, text=True).stdout


def all_types():
    """Every type that lunula reads, at awkward sizes, with a few numbers that
    are hard to convert."""
    hard = torch.tensor([0.0, -0.0, 1.0, -1.5, 65504.0, 6e-8, 6.1e-5,
                         float("inf"), float("-inf"), 0.1, 1 / 3])
    return {
        "f32": hard, "f16": hard.half(), "bf16": hard.bfloat16(),
        "f64": hard.double() / 3,
        "i32": torch.tensor([-2**31, 0, 2**31 - 1], dtype=torch.int32),
        "i64": torch.tensor([[-2**53], [2**53]]),
        "scalar": torch.tensor(2.5), "empty": torch.zeros(0, 3),
        "κλειδί/名前 \"\\\n\x01": torch.arange(6.0).reshape(2, 3),
        "odd.f16": torch.arange(3).half(),
    }


def write_fixtures():
    os.makedirs(FIXTURES, exist_ok=True)
    save_file(all_types(), f"{FIXTURES}/types.safetensors",
              {"format": "pt", "note": "naïve"})
    save_file({"mask": torch.ones(3, dtype=torch.bool),
               "bytes": torch.arange(5, dtype=torch.uint8),
               "weight": torch.arange(4.0)},
              f"{FIXTURES}/unreadable.safetensors")
    # what a writer other than the reference may do: data that is not aligned
    header = b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'
    header += b" " * (3 - len(header) % 4)
    with open(f"{FIXTURES}/unaligned.safetensors", "wb") as out:
        out.write(struct.pack("<Q", len(header)) + header)
        out.write(struct.pack("<2f", 1.5, -2.5))
    # what lunula must write for the same tensors, byte for byte
    save_file({"b": torch.arange(6.0).reshape(2, 3), "a": torch.tensor(2.5),
               "ids": torch.tensor([7, 8]), "é": torch.zeros(0, 2),
               "n": torch.tensor([1, 2, 3], dtype=torch.int32)},
              f"{FIXTURES}/written.safetensors", {"format": "pt"})


def expected_line(name, t):
    if t.dtype in READ_AS_FLOAT:
        t = t.float()
    values = " ".join(
        "%.17g" % x if t.dtype == torch.float32 else str(x)
        for x in t.flatten().tolist())
    shape = " ".join(map(str, t.shape))
    dtype = str(t.dtype).removeprefix("torch.")
    return f"tensor\t{name.encode().hex()}\t{dtype}\t{shape}\t{values}"


def random_tensors(rng):
    tensors = {}
    for i in range(rng.randrange(8)):
        shape = [rng.randrange(5) for _ in range(rng.randrange(5))]
        name = "".join(rng.choice("ab.é名\t'\"\\😀") for _ in range(i + 1))
        tensors[name] = (torch.randn(shape) * 1000).to(rng.choice(READABLE))
    return tensors


def check(rounds=40):
    rng = random.Random(0)
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        path, copy = f"{folder}/a.safetensors", f"{folder}/b.safetensors"
        for i in range(rounds):
            tensors = all_types() if i == 0 else random_tensors(rng)
            save_file(tensors, path, {"round": str(i)})
            lines = lua(SHOW, path).splitlines()
            expected = [expected_line(n, t) for n, t in tensors.items()]
            expected.append(f"metadata\tround\t{i}")
            assert sorted(lines) == sorted(expected), (lines, expected)
            lua(COPY, path, copy)
            floats = {n: t.float() if t.dtype in READ_AS_FLOAT else t
                      for n, t in tensors.items()}
            with open(copy, "rb") as f:
                assert f.read() == save(floats, {"round": str(i)})
            again = load_file(copy)
            assert all(torch.equal(again[n], t) for n, t in floats.items())
    print(f"{rounds} files: the same values read, the same bytes written")


def broken(rng, data):
    """A valid file with a few bytes changed, put in, or cut."""
    data = bytearray(data)
    for _ in range(rng.randrange(1, 4)):
        at = rng.randrange(len(data))
        kind = rng.randrange(4)
        if kind == 0:
            data[at] = rng.randrange(256)
        elif kind == 1:
            data[at] = ord(rng.choice('0123456789[]{}",:-.eFIB'))
        elif kind == 2:
            del data[at:at + rng.randrange(1, 9)]
        else:
            data[at:at] = bytes([rng.choice(b'0123456789[]{}",: ')])
        data = data or bytearray(1)
    if rng.random() < 0.7 and len(data) > 8:   # let the length be right
        end = data.rfind(b"}", 8) + 1
        data[:8] = struct.pack("<Q", max(end, 8) - 8)
    return bytes(data)


def reference_takes(data):
    try:
        load(data)
    except (SafetensorError, KeyError, ValueError, RuntimeError, TypeError):
        return False
    return True


def fuzz(count):
    rng = random.Random(1)
    seeds = [save(all_types(), {"format": "pt"}),
             save({"a": torch.zeros(2, 2), "b": torch.zeros(3).half()})]
    taken, stricter, laxer = 0, {}, []
    with tempfile.TemporaryDirectory() as folder:
        files = [broken(rng, rng.choice(seeds)) for _ in range(count)]
        paths = [f"{folder}/{i}" for i in range(count)]
        for path, data in zip(paths, files):
            with open(path, "wb") as f:
                f.write(data)
        verdicts = lua(JUDGE, stdin="\n".join(paths) + "\n").splitlines()
        assert len(verdicts) == count
        for data, path, verdict in zip(files, paths, verdicts):
            reference = reference_takes(data)
            taken += reference
            if reference and verdict != "ok":
                reason = verdict.removeprefix(path + ": ")
                stricter.setdefault(reason[:40], []).append(data)
            elif verdict == "ok" and not reference:
                laxer.append(data)
    print(f"{count} broken files, {taken} still valid to the reference")
    print("refused by lunula alone:",
          json.dumps({k: len(v) for k, v in stricter.items()}, indent=2))
    print("taken by lunula alone:", len(laxer), *laxer[:3])


if __name__ == "__main__":
    task = sys.argv[1] if len(sys.argv) > 1 else ""
    if task == "fixtures":
        write_fixtures()
    elif task == "check":
        check()
    elif task == "fuzz":
        fuzz(int(sys.argv[2]) if len(sys.argv) > 2 else 20000)
    else:
        sys.exit(__doc__)
