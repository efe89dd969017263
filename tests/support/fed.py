"""Answers that a test feeds part by part, in place of a target's."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from llmitm.call import Attempt, Call, Target
from llmitm.config.schema import Hold, Timeouts
from llmitm.dialects import translate
from llmitm.engine.answer import Answer, UpstreamError
from llmitm.engine.terms import Terms
from llmitm.policy.outcome import Failure

SSE = "text/event-stream"
NDJSON = "application/x-ndjson"
JSON = "application/json"
PATIENT = Timeouts(connect=5, first_byte=5, first_token=5, between_tokens=5, total=10)


class Fed(Answer):
    """An answer, and what became of its connection."""

    def __init__(self, status: int = 200, kind: str = JSON, **headers: str) -> None:
        super().__init__(self)
        self.closed = False
        self.raw_headers = [
            (name.replace("_", "-").encode(), value.encode())
            for name, value in {"content_type": kind, **headers}.items()
        ]
        self.begin(status)

    @classmethod
    def whole(cls, *parts: bytes, status: int = 200, kind: str = JSON, **headers: str) -> Fed:
        """An answer of which everything is there."""
        answer = cls(status, kind, **headers).feed(*parts)
        answer.finish()
        return answer

    def feed(self, *parts: bytes) -> Fed:
        for part in parts:
            self.put(part)
        return self

    def cut(self) -> Fed:
        self.fail(UpstreamError(Failure.STREAM_CUT, "the connection was lost"))
        return self

    # As its own connection.
    def resume(self, answer: Answer) -> None:
        """There is nobody to make wait."""

    def abandon(self, answer: Answer) -> None:
        self.closed = True


class Feeding:
    """Stands in for the way out: gives what the test prepared, keeps what it was asked."""

    def __init__(self, *answers: Answer | UpstreamError | None) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, str, Mapping[str, str], Any]] = []

    async def send(
        self, method: str, url: str, headers: Mapping[str, str], body: Any, connect_timeout: float
    ) -> Answer:
        """The next answer; None never comes."""
        self.asked.append((method, url, headers, body))
        answer = self.answers.pop(0)
        if answer is None:
            await asyncio.get_running_loop().create_future()
        if isinstance(answer, UpstreamError):
            raise answer
        assert isinstance(answer, Answer)
        return answer


def attempt(model: str = "m", **more: Any) -> Attempt:
    return Attempt(Target("p", model, **more), 1, model)


def terms(
    dialect: str = "openai",
    operation: str = "chat",
    *,
    stream: bool = False,
    api: str | None = None,
    **timeouts: float,
) -> Terms:
    """The terms of a call of `dialect` to a provider of `api`, its own dialect if None."""
    call = Call("req_1", dialect, operation, "/", model="m", stream=stream)
    translation = translate.translation(dialect, operation, api or dialect)
    if translation is not None:
        messages = [{"role": "user", "content": "hi"}]
        body = {"model": "m", "messages": messages, "stream": stream, "max_tokens": 9}
        translation.request(body)
    limits = PATIENT.model_copy(update=timeouts)
    return Terms(call, limits, translation, Hold())
