"""Reading Chat Completions chunks: where an answer ends, and what is an error."""

from __future__ import annotations

import pytest

from llmitm.dialects.carry import Json, encode
from llmitm.dialects.chunks import ChunkTranslation
from tests.dialects.streams import sse


class Echo(ChunkTranslation):
    """Says each choice, the end and every error as a line."""

    dialect = "ollama"

    def _choice(self, payload: Json, choice: Json) -> bytes:
        return encode(choice["n"]) + b"\n"

    def _finished(self) -> bytes:
        self.done = True
        return f"{self._finish} {self._usage}\n".encode()

    def _frame_error(self, error: Json) -> bytes:
        return encode(error) + b"\n"


def chunk(n: int, finish: str | None = None) -> Json:
    return {"choices": [{"n": n, "finish_reason": finish}, {"n": -1}]}


USAGE: Json = {"choices": [], "usage": {"prompt_tokens": 1}}


@pytest.mark.parametrize(
    ("payloads", "said"),
    [
        ([chunk(1), chunk(2, "stop"), USAGE, "[DONE]"], "1\n2\nstop {'prompt_tokens': 1}\n"),
        ([chunk(1, "stop"), USAGE], "1\nstop {'prompt_tokens': 1}\n"),
        ([chunk(1, "length")], "1\nlength {}\n"),
        ([chunk(1), "[DONE]"], "1\n"),
        ([chunk(1)], "1\n"),
        ([chunk(1), {"error": {"message": "m"}}, chunk(2, "stop")], '1\n{"error":"m"}\n'),
        ([chunk(1), {"message": "m", "code": 500}, "[DONE]"], '1\n{"error":"m"}\n'),
        ([{"id": "only"}, {"choices": None}, chunk(1, "stop")], "1\nstop {}\n"),
    ],
)
def test_streams(payloads: list[Json | str], said: str) -> None:
    """The first choice of each chunk, then an end if there was a finish reason and no error."""
    stream = Echo()
    assert (stream.feed(sse(payloads)) + stream.end()).decode() == said
    assert stream.done == ("{" in said and "error" not in said)
