"""The wire APIs: what a request asks, what a stream or an answer says, how to say it back.

Everything here is a function of bytes and JSON; nothing does I/O.
"""

from __future__ import annotations

from llmitm.dialects.answers import finish_of, is_answer, is_json, output_of, text_of, usage_of
from llmitm.dialects.anthropic import MessagesReader, opening
from llmitm.dialects.events import Event, StreamReader
from llmitm.dialects.faults import error_event, error_message
from llmitm.dialects.listing import model_object, models_list
from llmitm.dialects.ollama import OllamaReader
from llmitm.dialects.openai import ChatReader
from llmitm.dialects.prompt import answers, limited, max_output, output_limits, prompt_text
from llmitm.dialects.responses import TypedReader

__all__ = [
    "Event",
    "StreamReader",
    "answers",
    "error_event",
    "error_message",
    "finish_of",
    "is_answer",
    "is_json",
    "limited",
    "max_output",
    "model_object",
    "models_list",
    "opening",
    "output_limits",
    "output_of",
    "prompt_text",
    "reader_for",
    "text_of",
    "usage_of",
]

_READERS: dict[str, type[StreamReader]] = {
    "openai": ChatReader,
    "anthropic": MessagesReader,
    "ollama": OllamaReader,
}
_ANSWERS = frozenset(("chat", "completions", "responses", "messages", "generate"))


def reader_for(dialect: str, operation: str) -> StreamReader:
    """A reader for one stream. Raises KeyError for an unknown dialect.

    `operation` may be another dialect's: a message answered by an OpenAI provider comes as chat.
    Streams of operations whose end mark isn't known are read, and are always `complete`.
    """
    if dialect == "openai" and (operation == "responses" or operation not in _ANSWERS):
        return TypedReader(complete=operation not in _ANSWERS)
    return _READERS[dialect](complete=operation not in _ANSWERS)
