"""An OpenAI-compatible chat server, for spec/compare_endpoint_spec.lua.

usage: chat_server.py    prints its port and process number, then serves

The first part of a path chooses how it behaves: the endpoint is
http://127.0.0.1:PORT/plain/v1 or one of BEHAVIOURS below. The answer to a text
is the label "positive" where it says "good" or "lovely", else "negative".
/log answers with what was asked so far, as JSON: of each behaviour the number
of requests, the most that were under way at once, the bodies, the keys, and the
seconds at which they came.
"""
import http.server
import json
import os
import threading
import time

BEHAVIOURS = {
    "plain": "all is well",
    "slow": "all is well, after 0.3 s",
    "stuck": "nothing for a minute, but to the first two",
    "failing": "500 to each text at first, then well",
    "broken": "500, always",
    "limited": "429 and Retry-After: 1 to the first, then well",
    "closed": "429 and Retry-After: 86400",
    "secret": "401 without a key that begins with k3y-of-the-spec",
    "echo": "400, and repeats the key in its message",
    "repeats": "the answer repeats the key",
    "html": "200 and a page of HTML",
    "empty": "200 and no choices",
    "huge": "200 and 6 MiB, of a length that is not said before",
    "chatty": "chatter around the label",
    "silent": "no content, as when a filter withheld it",
    "odd": "the label in quotes, in capitals, with a full stop",
    "moved": "307 to plain",
    "uncounted": "no usage",
}
lock = threading.Lock()
log = {}


def label_of(question):
    text = question.rsplit("Text: ", 1)[-1]
    good = any(word in text for word in ("good", "lovely", "fine", "great"))
    return "positive" if good else "negative"


def completion(content, usage=True):
    reply = {"choices": [{"index": 0, "finish_reason": "stop", "message":
                          {"role": "assistant", "content": content}}]}
    if usage:
        reply["usage"] = {"prompt_tokens": 100, "completion_tokens": 2,
                          "total_tokens": 102}
    return reply


class Chat(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        with lock:
            self.answer(200, json.dumps(log).encode())

    def do_POST(self):
        self.behaviour = self.path[1:].partition("/")[0]
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.key = self.headers.get("Authorization", "")
        with lock:
            seen = log.setdefault(self.behaviour, {
                "requests": 0, "now": 0, "most": 0, "bodies": [], "keys": [],
                "times": [], "paths": []})
            seen["requests"] += 1
            seen["now"] += 1
            seen["most"] = max(seen["most"], seen["now"])
            seen["bodies"].append(body.decode())
            seen["keys"].append(self.key)
            seen["times"].append(time.monotonic())
            seen["paths"].append(self.path)
            number = seen["requests"]
            again = seen["bodies"].count(body.decode())
        try:
            self.behave(json.loads(body)["messages"][-1]["content"], number,
                        again)
        except (BrokenPipeError, ConnectionResetError):
            pass
        finally:
            self.close_connection = True

    def behave(self, question, number, again):
        how, label = self.behaviour, label_of(question)
        if how == "slow":
            time.sleep(0.3)
        if how == "stuck" and number > 2:
            time.sleep(60)
        if how == "broken" or how == "failing" and again == 1:
            return self.send(500, {"error": {"message": "out of order"}})
        if how == "limited" and number == 1:
            return self.send(429, {"error": {"message": "too fast"}},
                             {"Retry-After": "1"})
        if how == "closed":
            return self.send(429, {"error": {"message": "no more today"}},
                             {"Retry-After": "86400"})
        if how == "secret" and not (self.key or "").startswith(
                "Bearer k3y-of-the-spec"):
            return self.send(401, {"error": {"message": "wrong key"}})
        if how == "echo":
            return self.send(400, {"error": {
                "message": f"refused {self.key}, sorry"}})
        if how == "moved":
            return self.send(307, {}, {"Location": "/plain/v1"})
        if how == "html":
            return self.answer(200, b"<html>Welcome to the proxy</html>")
        if how == "empty":
            return self.send(200, {"choices": []})
        if how == "huge":
            return self.pour(6 << 20)
        content = {
            "chatty": f"I think it is {label}, since the words say so.",
            "silent": None, "odd": f' "{label.upper()}." ',
            "repeats": self.key,
        }.get(how, label)
        self.send(200, completion(content, how != "uncounted"))

    # before the reply is out: who has it may ask again at once
    def leave(self):
        with lock:
            log[self.behaviour]["now"] -= 1

    def send(self, status, value, headers={}):
        self.answer(status, json.dumps(value).encode(), headers)

    def answer(self, status, body, headers={}):
        if self.command == "POST":
            self.leave()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def pour(self, size):
        self.leave()
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        piece = b" " * 65536
        for _ in range(size // len(piece)):
            self.wfile.write(b"10000\r\n" + piece + b"\r\n")
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True


server = Server(("127.0.0.1", 0), Chat)
print(server.server_port, os.getpid(), flush=True)
server.serve_forever()
