"""Compares lunula's tokenizer with the Hugging Face `tokenizers` library.

    python spec/peers/tokenizer.py MODEL_DIR [TEXT_FILE...]

MODEL_DIR holds a BERT tokenizer.json. Compared are ids, types, spans, what
truncation cut and what decode gives: for strings made up across all scripts
(fixed seed), alone and in pairs, in texts of some pages, for every Unicode
code point, and for each line of the files; whole and truncated in every way
that the library knows; with the folder's own settings and with others, among
them added tokens of every kind. Run from the root of a built clone.
"""
import json
import os
import random
import subprocess
import sys
import tempfile
import unicodedata

from tokenizers import Tokenizer

ENV = dict(os.environ, LUA_PATH="./lua/?.lua;;", LUA_CPATH="./?.so;;")
SEED, STRINGS, PAIRS, PAGES, SHOWN = 7, 6000, 2000, 150, 5


# 1. texts

def code_points():
    return [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]


ASSIGNED = [c for c in code_points() if unicodedata.category(chr(c)) != "Cn"]
MARKS = [c for c in ASSIGNED if unicodedata.combining(chr(c))]
COMPOSED = [c for c in ASSIGNED
            if unicodedata.normalize("NFD", chr(c)) != chr(c)]
SPACES = [ord(c) for c in "\t\n\r\x0b\x0c\x1c\x85\xa0\u1680\u2003\u2028\u3000"]
SIGNS = [c for c in ASSIGNED if unicodedata.category(chr(c))[0] in "PS"]
TRICKY = [0, 1, 0x7F, 0xAD, 0x130, 0x131, 0xDF, 0x1E9E, 0x3A3, 0x3C2, 0x345,
          0x34F, 0x200B, 0x200C, 0x200D, 0xFEFF, 0xFFFD, 0xFFFF, 0x10FFFF,
          0x1F468, 0xFE0F, 0x1100, 0x1161, 0x11A8, 0xAC00, 0x302E, 0x1D165]
BROKEN = [b"\x80", b"\xff", b"\xc3", b"\xe2\x82", b"\xf0\x9f\x98", b"\xc0\xaf",
          b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xf8\x88\x80\x80\x80",
          b"\xe0\x80\x80", b"\xf0\x80\x80\x80", b"\xc3\xc3\xa9"]
WRITTEN = ["[CLS]", "[SEP]", "[MASK]", "[PAD]", "[UNK]", "[mask]", "<e1>",
           "<E2>", "caf\u00e9", "Ca Fe", "##ing", "[CLS", "don't"]


def piece(r):
    """a few code points of one kind, as bytes"""
    kind = r.randrange(14)
    if kind < 4:
        return "".join(r.choices("abcdefghijklmnoprstuvwy", k=r.randint(1, 9))
                       ).encode()
    if kind == 4:
        return r.choice(WRITTEN).encode()
    if kind == 5:
        return r.choice(BROKEN)
    if kind == 6:
        return b"x" * r.choice([99, 100, 101, 130])
    if kind == 7:  # neighbours in one script
        first = r.choice(ASSIGNED)
        near = [c for c in range(first, min(first + 64, 0x110000))
                if not 0xD800 <= c < 0xE000]
        return "".join(chr(r.choice(near)) for _ in range(6)).encode()
    pool = [MARKS, COMPOSED, SPACES, SIGNS, TRICKY, ASSIGNED][kind - 8]
    return "".join(chr(r.choice(pool)) for _ in range(r.randint(1, 4))
                   ).encode()


def made_up(r):
    text = b""
    for _ in range(r.randint(0, 12)):
        text += piece(r) + r.choice([b"", b"", b" ", b" ", b"  "])
    return text


def every_code_point():
    """each alone, behind a letter, between letters and among marks"""
    points = code_points()
    for i in range(0, len(points), 16):
        yield "".join("{0} a{0} a{0}b \u0301{0}\u0323\u302e".format(chr(c))
                      for c in points[i:i + 16]).encode()


def lines(path):
    with open(path, "rb") as f:
        return [line.rstrip(b"\n") for line in f]


# 2. the two sides

def decode(raw):
    """what Python reads in bytes, and where each character begins and ends"""
    text, starts, at = "", [], 0
    while at < len(raw):
        try:
            good, bad = raw[at:].decode(), None
        except UnicodeDecodeError as e:
            good, bad = raw[at:at + e.start].decode(), e.end - e.start
        for c in good:
            starts.append(at)
            at += len(c.encode())
        text += good
        if bad is not None:
            starts.append(at)
            text += "\ufffd"
            at += bad
    assert text == raw.decode(errors="replace")
    return text, starts + [len(raw)]


def library(tokenizer, request):
    raw, raw_pair, most, special, mode, stride = request
    text, at = decode(raw)
    pair, pair_at = decode(raw_pair) if raw_pair is not None else (None, None)
    tokenizer.no_truncation()
    e = whole = tokenizer.encode(text, pair, add_special_tokens=special)
    if most:
        tokenizer.enable_truncation(
            most, stride=stride, direction="left" if mode == "tail" else "right")
        e = tokenizer.encode(text, pair, add_special_tokens=special)
    all_of_it = [e] + (e.overflowing if mode == "windows" else [])
    ids = [i for w in all_of_it for i in w.ids]
    spans = [[0, 0] if sequence is None else
             [(pair_at if sequence else at)[i] for i in offsets]
             for w in all_of_it
             for sequence, offsets in zip(w.sequence_ids, w.offsets)]
    cut = 0 if mode == "windows" else len(whole.ids) - len(e.ids)
    return [ids, spans, [i for w in all_of_it for i in w.type_ids], cut,
            tokenizer.decode(ids)]


def lunula(folder, requests):
    asked = []
    for raw, pair, most, special, mode, stride in requests:
        asked.append(b"%d %d %d %d %s %d\n" % (
            len(raw), -1 if pair is None else len(pair), most, special,
            mode.encode(), stride))
        asked += [raw, pair or b""]
    out = subprocess.run(["lua5.4", "spec/peers/tokenizer.lua", folder],
                         input=b"".join(asked), stdout=subprocess.PIPE, env=ENV,
                         check=True).stdout
    return [json.loads(line) for line in out.splitlines()]


def empty_as_list(answer):
    return [x if x != {} else [] for x in answer]


def compare(name, folder, requests):
    tokenizer = Tokenizer.from_file(folder + "/tokenizer.json")
    tokenizer.no_padding()
    different = 0
    for request, ours in zip(requests, lunula(folder, requests)):
        theirs = library(tokenizer, request)
        if empty_as_list(ours) != theirs:
            different += 1
            if different <= SHOWN:
                print(" ", request, "\n    lunula ", ours, "\n    library",
                      theirs)
    print("%-34s %7d strings, %d different" % (name, len(requests),
                                               different), flush=True)
    return different


# 3. settings

def added(content, **flags):
    token = dict(content=content, special=False, single_word=False,
                 lstrip=False, rstrip=False, normalized=True)
    return dict(token, **flags)


ADDED = [
    added("<e1>", special=True, normalized=False, lstrip=True),
    added("<E2>", rstrip=True, normalized=False),
    added("caf\u00e9"), added("Ca Fe", lstrip=True, rstrip=True),
    added("don't", single_word=True), added("\u00dcb", single_word=True),
    added("[mask]", normalized=False, single_word=True),
    added(" q", normalized=False), added("x\u4e00"),
]

VARIANTS = {
    "as the folder has it": {},
    "cased": dict(lowercase=False),
    "cased, accents stripped": dict(lowercase=False, strip_accents=True),
    "lowercase, accents kept": dict(strip_accents=False),
    "not cleaned": dict(clean_text=False),
    "not cleaned, cased": dict(clean_text=False, lowercase=False),
    "ideographs not apart": dict(handle_chinese_chars=False),
    "more added tokens": dict(added=True),
    "more added tokens, cased": dict(added=True, lowercase=False),
}
SCANNED = ["as the folder has it", "cased", "not cleaned"]


def write_variant(model, changes, folder):
    with open(model + "/tokenizer.json") as f:
        settings = json.load(f)
    changes = dict(changes)
    if changes.pop("added", False):
        vocab = settings["model"]["vocab"]
        for token in ADDED:
            known = {t["content"]: t["id"] for t in settings["added_tokens"]}
            next_id = max(max(vocab.values()), max(known.values())) + 1
            content = token["content"]
            token = dict(token, id=vocab.get(content, next_id))
            if content not in known:
                settings["added_tokens"].append(token)
    settings["normalizer"].update(changes)
    with open(folder + "/tokenizer.json", "w") as f:
        json.dump(settings, f)


def requests_of(r, texts, share=1.0):
    return [(t, None, 0, True, "head", 0) for t in texts
            if r.random() < share]


def paired(r):
    return (made_up(r), r.choice([None, made_up(r)]),
            r.choice([0, 3, 4, 5, 8, 9, 16, 33]), r.random() < 0.8,
            r.choice(["head", "tail"]), 0)


def page(r):
    """a long text, as it is and truncated; pairs have no windows there"""
    text = b"".join(made_up(r) + r.choice([b"", b" ", b"\n"])
                    for _ in range(r.randint(20, 90)))
    pair = r.choice([None, None, made_up(r) * 40])
    most = r.choice([0, 5, 16, 65, 128, 511, 512])
    mode = r.choice(["head", "tail"] if pair or not most else
                    ["head", "tail", "windows"])
    return (text, pair, most, True, mode,
            r.randrange(most - 2) if mode == "windows" else 0)


def main():
    model, files = sys.argv[1], sys.argv[2:]
    r = random.Random(SEED)
    strings = requests_of(r, [made_up(r) for _ in range(STRINGS)])
    pairs = [paired(r) for _ in range(PAIRS)]
    pages = [page(r) for _ in range(PAGES)]
    points = requests_of(r, every_code_point())
    different = 0
    with tempfile.TemporaryDirectory() as folder:
        for name, changes in VARIANTS.items():
            write_variant(model, changes, folder)
            print(name)
            different += compare("  made up", folder, strings)
            different += compare("  pairs, cut", folder, pairs)
            different += compare("  pages, cut", folder, pages)
            if name in SCANNED:
                different += compare("  every code point", folder, points)
        write_variant(model, {}, folder)
        for path in files:
            different += compare(os.path.basename(path), folder,
                                 requests_of(r, lines(path)))
    print("%d different in all" % different)
    sys.exit(different > 0)


if __name__ == "__main__":
    main()
