"""A Hugging Face hub of one tiny model, for spec/hub_spec.lua.

usage: hub_server.py    prints its port and process number, then serves

The first part of a path chooses how it behaves, so HF_ENDPOINT is
http://127.0.0.1:PORT/whole or one of BEHAVIOURS below. /log answers with the
requests for weights so far, one a line: the behaviour and the Range asked for.
"""
import hashlib
import http.server
import os
import time

WEIGHTS = bytes(range(256)) * 4096
COMMIT = "0123456789abcdef0123456789abcdef01234567"
FILES = {
    "config.json": b'{"model_type": "bert"}',
    "tokenizer.json": b'{"version": "1.0"}',
    "README.md": b"---\nlanguage: en\nlicense: mit\n---\n# Tiny\n",
    "model.safetensors": WEIGHTS,
}
BEHAVIOURS = {
    "whole": "all is well, and a Range is heeded",
    "cut": "without a Range, half of the weights and no more",
    "dead": "never more than half of the weights",
    "liar": "announces another SHA-256 than that of the weights",
    "unhashed": "announces no SHA-256",
    "rangeless": "takes no notice of a Range",
    "stalled": "half of the weights, then nothing for a minute",
    "busy": "503, always",
    "gated": "403 until terms are accepted",
    "secret": "401 without the token s3cret",
    "weightless": "no weights",
    "wordless": "no tokenizer",
}
MISSING = {"weightless": "model.safetensors", "wordless": "tokenizer.json"}
log = []


class Hub(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.close_connection = True
        if self.path == "/log":
            return self.answer(200, "\n".join(log).encode())
        behaviour, _, rest = self.path[1:].partition("/")
        if behaviour == "busy":
            return self.answer(503)
        if behaviour == "gated":
            return self.answer(403, headers={"X-Error-Code": "GatedRepo"})
        token = self.headers.get("Authorization")
        if behaviour == "secret" and token != "Bearer s3cret":
            return self.answer(401)
        self.resolve(behaviour, rest)

    def resolve(self, behaviour, rest):
        for revision in "main", COMMIT:
            name = rest.removeprefix(f"org/tiny/resolve/{revision}/")
            if name in FILES and MISSING.get(behaviour) != name:
                return self.send_file(behaviour, name)
        self.answer(404)

    def send_file(self, behaviour, name):
        body, headers = FILES[name], {"X-Repo-Commit": COMMIT}
        if name != "model.safetensors":
            return self.answer(200, body, headers)
        asked = self.headers.get("Range")
        log.append(f"{behaviour} {asked}")
        if behaviour != "unhashed":
            lie = b"!" if behaviour == "liar" else b""
            digest = hashlib.sha256(body + lie).hexdigest()
            headers["X-Linked-Etag"] = f'"{digest}"'
        status, start = 200, 0
        if asked and behaviour != "rangeless":
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            status = 206 if start < len(body) else 416
            headers["Content-Range"] = (
                f"bytes {start}-{len(body) - 1}/{len(body)}"
                if start < len(body) else f"bytes */{len(body)}")
        sent = len(body) - start
        if behaviour in ("dead", "stalled") or behaviour == "cut" and not asked:
            sent = max(0, len(body) // 2 - start)
        self.answer(status, body[start:], headers, sent)

    def answer(self, status, body=b"", headers={}, sent=None):
        sent = len(body) if sent is None else sent
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:sent])
        self.wfile.flush()
        if self.path.startswith("/stalled/") and sent < len(body):
            time.sleep(60)

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
server.daemon_threads = True
print(server.server_port, os.getpid(), flush=True)
server.serve_forever()
