"""A provider whose model says what the test wants: one text after the other."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


@dataclass
class ScriptedModel:
    """Answers chat completions of the OpenAI API. The last of `texts` is said for ever.

    `raw` is sent instead of an answer, as `content_type`.
    """

    texts: list[str] = field(default_factory=lambda: ["hello"])
    raw: bytes | None = None
    content_type: str = "application/json"
    requests: list[dict[str, Any]] = field(default_factory=list)
    url: str = ""
    _server: ThreadingHTTPServer | None = None

    def __enter__(self) -> Self:
        model = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                length = int(self.headers["content-length"])
                body = model.answer(json.loads(self.rfile.read(length)))
                self.send_response(200)
                self.send_header("content-type", model.content_type)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Tests say what they want to know."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def answer(self, request: dict[str, Any]) -> bytes:
        text = self.texts[min(len(self.requests), len(self.texts) - 1)]
        self.requests.append(request)
        if self.raw is not None:
            return self.raw
        message = {"role": "assistant", "content": text}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        usage = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
        return json.dumps({"choices": [choice], "usage": usage}).encode()
