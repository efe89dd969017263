"""Which reader a stream gets."""

from __future__ import annotations

import pytest

from llmitm.dialects import reader_for
from llmitm.dialects.anthropic import MessagesReader
from llmitm.dialects.events import StreamReader
from llmitm.dialects.ollama import OllamaReader
from llmitm.dialects.openai import ChatReader
from llmitm.dialects.responses import TypedReader


@pytest.mark.parametrize(
    ("dialect", "operation", "reader", "complete"),
    [
        ("openai", "chat", ChatReader, False),
        ("openai", "completions", ChatReader, False),
        ("openai", "messages", ChatReader, False),
        ("openai", "responses", TypedReader, False),
        ("openai", "images", TypedReader, True),
        ("anthropic", "messages", MessagesReader, False),
        ("anthropic", "chat", MessagesReader, False),
        ("ollama", "generate", OllamaReader, False),
        ("ollama", "pull", OllamaReader, True),
    ],
)
def test_reader(dialect: str, operation: str, reader: type[StreamReader], complete: bool) -> None:
    """By dialect and operation; a stream whose end mark isn't known is never cut."""
    found = reader_for(dialect, operation)
    assert type(found) is reader
    assert found.complete is complete


def test_unknown_dialect() -> None:
    """There is no reader for a dialect that there isn't."""
    with pytest.raises(KeyError):
        reader_for("esperanto", "chat")
