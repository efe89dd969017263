"""What an attempt is made on."""

from __future__ import annotations

import pytest

from llmitm.call import Call
from llmitm.config.schema import Hold, Timeouts
from llmitm.dialects import translate
from llmitm.engine.terms import Terms


def terms(dialect: str, operation: str, api: str, *, stream: bool = False) -> Terms:
    call = Call("req_1", dialect, operation, "/", stream=stream)
    return Terms(call, Timeouts(), translate.translation(dialect, operation, api), Hold())


@pytest.mark.parametrize(
    ("dialect", "operation", "api", "tap"),
    [
        ("openai", "chat", "openai", ("openai", "chat")),
        ("openai", "chat", "anthropic", ("anthropic", "messages")),
        ("anthropic", "messages", "openai", ("openai", "chat")),
        ("ollama", "generate", "openai", ("openai", "chat")),
        ("ollama", "chat", "ollama", ("ollama", "chat")),
    ],
)
def test_tap(dialect: str, operation: str, api: str, tap: tuple[str, str]) -> None:
    """The provider's bytes are read in the provider's own dialect."""
    assert terms(dialect, operation, api).tap == tap


def test_translated_answers_are_read_as_json() -> None:
    """A translated answer has to be JSON, whatever the provider calls it."""
    assert terms("openai", "chat", "anthropic").reads_json
    assert not terms("openai", "chat", "openai").reads_json


@pytest.mark.parametrize(
    ("operation", "stream", "may"),
    [("chat", False, True), ("files", False, False), ("files", True, True)],
)
def test_streams(operation: str, stream: bool, may: bool) -> None:
    """A stream will do where it was asked for, and where it is no more than a surprise."""
    assert terms("openai", operation, "openai", stream=stream).may_stream is may
