# SPDX-License-Identifier: Apache-2.0
"""An OpenAI-compatible server on the loopback interface: real HTTP, answers by a function of the request."""
import base64
import http.server
import io
import json
import os
import threading

from PIL import Image

# No proxy of the environment stands between a test and its server.
os.environ["no_proxy"] = os.environ["NO_PROXY"] = "127.0.0.1,localhost"


def images_of(message):
    """The images of a message, decoded."""
    urls = [part["image_url"]["url"] for part in message["content"] if part["type"] == "image_url"]
    return [Image.open(io.BytesIO(base64.b64decode(url.split(",", 1)[1]))) for url in urls]


def texts_of(message):
    if isinstance(message["content"], str):
        return [message["content"]]
    return [part["text"] for part in message["content"] if part["type"] == "text"]


def completion(text, first_token=None):
    """`first_token`: {token: log-probability}."""
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
    if first_token is not None:
        listed = [{"token": token, "logprob": p, "bytes": None} for token, p in first_token.items()]
        choice["logprobs"] = {"content": [{**max(listed, key=lambda entry: entry["logprob"]), "top_logprobs": listed}]}
    return {"id": "stub", "object": "chat.completion", "created": 0, "model": "stub", "choices": [choice]}


class OpenAiStub:
    """`answer(request) -> completion, or (status, headers, body)`. `requests` and `headers` are what came."""

    def __init__(self, answer):
        stub = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with stub._lock:
                    stub.requests.append(body)
                    stub.headers.append({name.lower(): value for name, value in self.headers.items()})
                    made = stub.answer(body)
                if self.path != "/v1/chat/completions":
                    made = (404, {}, {"error": {"message": self.path}})
                status, headers, answer = made if isinstance(made, tuple) else (200, {}, made)
                encoded = json.dumps(answer).encode()
                self.send_response(status)
                for name, value in {"Content-Type": "application/json", "Content-Length": len(encoded), **headers}.items():
                    self.send_header(name, str(value))
                self.end_headers()
                self.wfile.write(encoded)

            def log_message(self, *_):
                pass

        self.answer, self.requests, self.headers, self._lock = answer, [], [], threading.Lock()
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
