"""Pieces of content that a conversation rarely has."""

from __future__ import annotations

from typing import Any

import pytest

from llmitm.inspector.turns import Piece, as_json, flat, message, pieces

PIECES: list[tuple[Any, list[Piece]]] = [
    (None, []),
    ("", []),
    (3, []),
    ({"text": "bare"}, [Piece("text", "bare")]),
    ({"type": "refusal", "refusal": "No."}, [Piece("refusal", "No.")]),
    ({"type": "message", "content": "x"}, [Piece("text", "x")]),
    ({"type": "redacted_thinking"}, [Piece("media", "redacted_thinking")]),
    ({"type": "thinking", "thinking": "hm"}, [Piece("thinking", "hm")]),
    ({"type": "input_image", "image_url": "http://a/b.png"}, [Piece("media", "image: http://a/b.png")]),
    ({"type": "document", "source": {"type": "url", "url": "http://a/b.pdf"}},
     [Piece("media", "document: http://a/b.pdf")]),
    ({"type": "input_audio", "input_audio": {"format": "wav", "data": "AAAA"}},
     [Piece("media", "audio: wav, 3 bytes")]),
    ({"type": "file", "file": {"filename": "a.pdf", "file_data": "AAAA"}},
     [Piece("media", "file: a.pdf, 3 bytes")]),
    ({"type": "image", "source": {}}, [Piece("media", "image")]),
    ({"type": "computer_call_output", "call_id": "c", "output": {"x": 1}},
     [Piece("result", '{"x":1}', id="c")]),
]  # fmt: skip


@pytest.mark.parametrize(("content", "expected"), PIECES)
def test_pieces(content: Any, expected: list[Piece]) -> None:
    """Media are named and sized, never printed; what isn't known shows its type."""
    assert list(pieces(content)) == expected


def test_function_calls_of_old() -> None:
    """Before tool calls there was one function call per message."""
    said = message({"role": "assistant", "function_call": {"name": "look", "arguments": "{}"}})
    assert said.pieces == (Piece("call", "{}", "look"),)


def test_names() -> None:
    """A message may say who of several users wrote it."""
    assert message({"role": "user", "name": "ava", "content": "hi"}).role == "user ava"


def test_flat() -> None:
    """Contents in one text, structured ones as JSON."""
    assert flat(["a", {"type": "text", "text": "b"}]) == "a\nb"
    assert flat({"x": 1}) == '{"x":1}'
    assert as_json(object()).startswith("<object")
