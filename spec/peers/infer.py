"""Answers texts with PyTorch or onnxruntime, as most people do, for
spec/peers/infer.lua to compare with.

usage: infer.py export MODEL_DIR FOLDER
       infer.py measure MODEL_DIR TEXTS.csv ENGINE PRECISION
           [--threads 1] [--seconds 3] [--onnx FOLDER]

`export` writes the model as ONNX, in float32 and with dynamically quantised
8-bit weights. ENGINE and PRECISION are pytorch with fp32 or bf16, or
onnxruntime (which reads what was exported) with fp32 or int8.

The CSV has the column text. Prints a line of JSON with the names of `lunula
bench`. Of the peers only the model is timed, token ids are there before; the
first answer alone has everything, from the start of the process on.
"""
import argparse
import csv
import json
import os
import resource
import time

MAX_LENGTH, LATENCIES, BATCH, WARM = 128, 400, 32, 20
FILES = {"fp32": "model.onnx", "int8": "model.int8.onnx"}


def arguments():
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(dest="command", required=True)
    export = commands.add_parser("export")
    export.add_argument("model")
    export.add_argument("folder")
    measure = commands.add_parser("measure")
    measure.add_argument("model")
    measure.add_argument("texts")
    measure.add_argument("engine", choices=["pytorch", "onnxruntime"])
    measure.add_argument("precision", choices=["fp32", "bf16", "int8"])
    measure.add_argument("--threads", type=int, default=1)
    measure.add_argument("--seconds", type=float, default=3)
    measure.add_argument("--onnx", default=".")
    return parser.parse_args()


def read(path):
    with open(path, newline="", encoding="utf-8") as file:
        return [row["text"] for row in csv.DictReader(file)]


def load_pytorch(folder):
    from transformers import AutoModelForSequenceClassification
    return AutoModelForSequenceClassification.from_pretrained(folder).eval()


def export(options):
    import torch
    from onnxruntime.quantization import QuantType, quantize_dynamic
    one = torch.ones((2, 8), dtype=torch.int64)
    names = ["input_ids", "attention_mask"]
    axes = {name: {0: "texts", 1: "tokens"} for name in names}
    axes["logits"] = {0: "texts"}
    plain = os.path.join(options.folder, FILES["fp32"])
    torch.onnx.export(load_pytorch(options.model), (one, one), plain,
                      input_names=names, output_names=["logits"],
                      dynamic_axes=axes, opset_version=17, dynamo=False)
    quantize_dynamic(plain, os.path.join(options.folder, FILES["int8"]),
                     weight_type=QuantType.QInt8)


# each engine: a function from padded ids and their mask, [texts, longest]

def pytorch(options):
    import contextlib
    import torch
    torch.set_num_threads(options.threads)
    model = load_pytorch(options.model)

    def answer(ids, mask):
        low = (torch.autocast("cpu", torch.bfloat16)
               if options.precision == "bf16" else contextlib.nullcontext())
        with torch.inference_mode(), low:
            return model(input_ids=torch.from_numpy(ids),
                         attention_mask=torch.from_numpy(mask)).logits
    return answer


def onnxruntime(options):
    import onnxruntime as ort
    settings = ort.SessionOptions()
    settings.intra_op_num_threads = options.threads
    session = ort.InferenceSession(
        os.path.join(options.onnx, FILES[options.precision]), settings,
        providers=["CPUExecutionProvider"])
    return lambda ids, mask: session.run(
        None, {"input_ids": ids, "attention_mask": mask})


def tokenizer(folder):
    from tokenizers import Tokenizer
    made = Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
    made.no_padding()
    made.enable_truncation(MAX_LENGTH)
    return lambda texts: [e.ids for e in made.encode_batch(texts)]


def padded(rows):
    import numpy
    longest = max(map(len, rows))
    ids = numpy.zeros((len(rows), longest), numpy.int64)
    mask = numpy.zeros_like(ids)
    for i, row in enumerate(rows):
        ids[i, :len(row)], mask[i, :len(row)] = row, 1
    return ids, mask


def process_age():
    """Seconds since this process began (Linux)."""
    with open("/proc/self/stat") as stat, open("/proc/uptime") as uptime:
        started = int(stat.read().rsplit(")", 1)[1].split()[19])
        return (float(uptime.read().split()[0])
                - started / os.sysconf("SC_CLK_TCK"))


def latencies(answer, rows):
    """Milliseconds of each text alone, sorted."""
    times = []
    for row in rows[:WARM]:
        answer(*padded([row]))
    for row in rows[:LATENCIES]:
        begun = time.perf_counter()
        answer(*padded([row]))
        times.append(1e3 * (time.perf_counter() - begun))
    return sorted(times)


def throughput(answer, rows, seconds):
    """Texts and tokens a second: whole passes over batches of like length."""
    rows = sorted(rows, key=len)
    batches = [padded(rows[i:i + BATCH]) for i in range(0, len(rows), BATCH)]
    passes, begun = 0, time.perf_counter()
    while passes == 0 or time.perf_counter() - begun < seconds:
        for batch in batches:
            answer(*batch)
        passes += 1
    rate = passes / (time.perf_counter() - begun)
    return rate * len(rows), rate * sum(map(len, rows))


def measure(options):
    texts = read(options.texts)
    answer = globals()[options.engine](options)
    encode = tokenizer(options.model)
    answer(*padded(encode(texts[:1])))
    first = 1e3 * process_age()
    rows = encode(texts)
    times = latencies(answer, rows)
    sentences, tokens = throughput(answer, rows, options.seconds)
    print(json.dumps({
        "engine": options.engine, "precision": options.precision,
        "threads": options.threads, "first_answer_ms": first,
        "p50_ms": times[len(times) // 2],
        "p95_ms": times[int(0.95 * len(times))],
        "p99_ms": times[int(0.99 * len(times))],
        "sentences_per_second": sentences, "tokens_per_second": tokens,
        "peak_rss_mib":
            resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}))


if __name__ == "__main__":
    given = arguments()
    export(given) if given.command == "export" else measure(given)
