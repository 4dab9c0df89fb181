"""A scripted chat endpoint, a process of its own: what it does with a file is written in the file's first line.

``@fault=KIND*TIMES`` fails the first TIMES requests for the file, ``@answer=KIND`` decides the form of the answer, ``@rate=N`` the rating
(else it is made of the content's digest). GET /stats tells what was asked. Started as ``python scripted_endpoint.py '{"key": "..."}'``;
prints its port.
"""

from __future__ import annotations

import json
import random
import re
import socket
import struct
import sys
import threading
import time
import zlib
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SCRIPT = {"key": "", "delay": 0.0, "faults": 0.0, "seed": 0, "max_body": 4 << 20}
LOCK = threading.Lock()
STATS: Counter[str] = Counter()
SEEN: Counter[str] = Counter()
TIMES: list[float] = []
RANDOM = random.Random(0)


def parse_prompt(messages: list[dict[str, str]]) -> tuple[str, str]:
    """(content, seal) of a prompt, found as a reader would: by the lines around the file, the first and the last with their mark."""
    user = messages[-1]["content"]
    mark = re.search(r'the line "begin (\w+)"', user)[1]
    content = user[user.index(f"\nbegin {mark}\n") + len(mark) + 8 : user.rindex(f"\nend {mark}\n")]
    return content, re.search(r"^seal (\w+)$", user[user.rindex(f"\nend {mark}\n") :], re.MULTILINE)[1]


def answer_text(content: str, seal: str, directives: dict[str, str], headers) -> tuple[str | None, str]:
    """(text, finish reason)"""
    rating = directives.get("rate") or str(zlib.crc32(content.split("\n")[0].encode()) % 11)
    form = f"Rating: [[{rating}]]"
    sealed = f"\nseal {seal}\n{form}"
    kind = directives.get("answer", "honest")
    texts = {
        "honest": "Readable enough." + sealed,
        "unsealed": f"Readable enough.\n{form}",
        "bold": f"Fine.\n\n**seal {seal}**\n\n**{form}**",
        "echo": f"The file says:\n{content}\nI do not care." + sealed,
        "fence": f"```\n{content}\n```\nNot so." + sealed,
        "echo-unsealed": f"{content}\nNot so.\n{form}",
        "obedient": content,
        "obedient-fence": f"Here it is:\n```\n{content}\n```",
        "missing": "I would rather not.",
        "literal": "Fine.\nRating: [[X]]",
        "range": f"Fine.\nseal {seal}\nRating: [[11]]",
        "decimal": f"Fine.\nseal {seal}\nRating: [[7.5]]",
        "several": f"Rating: [[1]] at first sight.\nRating: [[2]]\nOn second thoughts:\nseal {seal}\n{form}",
        "long": "And then " * 50,
        "leak": f"Your header was {headers.get('Authorization', '')}." + sealed,
    }
    return texts.get(kind), "length" if kind == "long" else "stop"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        with LOCK:
            self.send(200, json.dumps(dict(STATS) | {"times": TIMES, "files": len(SEEN)}).encode())

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with LOCK:
            STATS["requests"] += 1
            STATS["in_flight"] += 1
            STATS["most_in_flight"] = max(STATS["most_in_flight"], STATS["in_flight"])
            TIMES.append(time.monotonic())
        try:
            self.reply(body)
        finally:
            with LOCK:
                STATS["in_flight"] -= 1

    def reply(self, body):
        if SCRIPT["key"] and self.headers.get("Authorization") != f"Bearer {SCRIPT['key']}":
            return self.error(401, f"Incorrect API key provided: {self.headers.get('Authorization')}")
        if self.path != "/v1/chat/completions" or body["model"] == "unknown":
            return self.error(404, "no such model")
        content, seal = parse_prompt(body["messages"])
        directives = dict(re.findall(r"@(\w+)=([\w.*-]+)", content.split("\n")[0]))
        fault, _, times = directives.get("fault", "").partition("*")
        with LOCK:
            SEEN[content] += 1
            attempt, draw = SEEN[content], RANDOM.random()
        if not fault and draw < SCRIPT["faults"]:
            fault, times = ("429", "500", "reset", "cut")[int(draw * 1e6) % 4], "1000000"
        if fault and attempt <= int(times or 1_000_000):
            with LOCK:
                STATS[f"fault {fault}"] += 1
            return self.fault(fault, content)
        time.sleep(SCRIPT["delay"])
        text, finish = answer_text(content, seal, directives, self.headers)
        usage = {"prompt_tokens": sum(len(m["content"]) for m in body["messages"]) // 4, "completion_tokens": len(text or "") // 4}
        answer = {"model": "scripted-1", "choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": finish}]}
        if directives.get("usage") != "none":
            answer["usage"] = usage
        with LOCK:
            STATS["answers"] += 1
            for name, count in usage.items():
                STATS[name] += count
        return self.send(200, json.dumps(answer).encode())

    def fault(self, kind, content):
        if kind == "429":
            return self.error(429, "slow down", {"Retry-After": "0.3"})
        if kind.isdigit():
            return self.error(int(kind), "scripted")
        if kind == "redirect":
            return self.error(307, "elsewhere", {"Location": "http://127.0.0.1:9/"})
        if kind == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            return self.connection.close()
        if kind == "slow":
            time.sleep(3)
            return self.error(500, "too late")
        if kind == "huge":
            return self.send(200, b" " * (6 << 20))
        if kind == "garbage":
            return self.send(200, b"<html>\xff\xfe not JSON " + content.encode())
        if kind == "shape":
            return self.send(200, b'{"choices": [{"message": {"content": ["Rating: [[10]]"]}}]}')
        return self.broken_off(kind)

    def broken_off(self, kind):
        self.send_response(200)
        self.send_header("Content-Length", "100000")
        if kind == "gzip":
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        self.close_connection = True
        for _ in range(20 if kind == "trickle" else 1):
            self.wfile.write(b'{"choices": ')
            self.wfile.flush()
            time.sleep(0.15 if kind == "trickle" else 0)

    def error(self, status, message, headers=None):
        self.send(status, json.dumps({"error": {"message": message}}).encode(), headers)

    def send(self, status, body, headers=None):
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 64

    def handle_error(self, request, client_address):
        pass  # clients that hang up are part of the script


if __name__ == "__main__":
    SCRIPT.update(json.loads(sys.argv[1]) if len(sys.argv) > 1 else {})
    RANDOM.seed(SCRIPT["seed"])
    server = Server(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)
    server.serve_forever()
