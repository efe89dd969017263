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


@pytest.mark.parametrize(
    ("operation", "api", "reads"),
    [
        ("chat", "anthropic", True),
        ("chat", "openai", True),
        ("files", "openai", False),
        ("audio", "openai", False),
    ],
)
def test_answers_that_are_read_as_json(operation: str, api: str, reads: bool) -> None:
    """A model's answer has to be JSON, whatever the provider calls it; a file need not."""
    assert terms("openai", operation, api).reads_json is reads


@pytest.mark.parametrize(
    ("dialect", "operation", "stream", "needs"),
    [
        ("openai", "chat", True, True),
        ("openai", "chat", False, False),
        ("anthropic", "messages", True, True),
        ("openai", "audio", True, False),
        ("ollama", "chat", True, False),
    ],
)
def test_needs_stream(dialect: str, operation: str, stream: bool, needs: bool) -> None:
    """Who asked for events can't read anything else, except one line of Ollama's."""
    assert terms(dialect, operation, dialect, stream=stream).needs_stream is needs


@pytest.mark.parametrize(
    ("operation", "stream", "may"),
    [("chat", False, True), ("files", False, False), ("files", True, True)],
)
def test_streams(operation: str, stream: bool, may: bool) -> None:
    """A stream will do where it was asked for, and where it is no more than a surprise."""
    assert terms("openai", operation, "openai", stream=stream).may_stream is may
