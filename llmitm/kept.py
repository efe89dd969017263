"""An answer that may be given again, and how it is recorded while it passes."""

from __future__ import annotations

from dataclasses import dataclass

from mitmproxy import http

from llmitm.call import Call, Target
from llmitm.dialects import completed


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer as the provider gave it. `text` is what it says where it is a stream, else None."""

    content_type: str
    body: bytes
    text: str | None
    by: Target

    @property
    def size(self) -> int:
        return len(self.body) + len(self.text or "")

    def response(self) -> http.Response:
        response = http.Response.make(200, self.body, {"content-type": self.content_type})
        response.stream = self.text is not None
        return response


class Recording:
    """Keeps up to `room` bytes of a provider's answer that passes by: a `Recorder`."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._size = 0
        self._status = 0
        self._content_type = ""
        self._streamed = False
        self._parts: list[bytes] = []

    def begin(self, response: http.Response) -> None:
        self._status = response.status_code
        self._content_type = response.headers.get("content-type", "")
        self._streamed = bool(response.stream)

    def data(self, chunk: bytes) -> None:
        self._size += len(chunk)
        if self._size > self._room:
            self._parts.clear()
        else:
            self._parts.append(chunk)

    def kept(self, call: Call) -> Kept | None:
        """What is to be kept of a call's answer; None where it isn't one whole, good answer."""
        by = call.answered_by
        joined = any(a.outcome is not None and a.outcome.committed for a in call.attempts)
        if self._status != 200 or self._size > self._room or call.error or by is None or joined:
            return None
        kind, body, text = (call.dialect, call.operation), b"".join(self._parts), None
        if self._streamed:
            # A client that had all may have left before the last byte.
            text = completed.text_of_completed(*kind, body, ended=not call.had_all)
            if text is None:
                return None
        elif not completed.is_completed(*kind, body):
            return None
        return Kept(self._content_type, body, text, Target(by.target.provider, by.model))
