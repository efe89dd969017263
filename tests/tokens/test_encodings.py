"""Which encoding a model has, and loading it once, without a network."""

from __future__ import annotations

import pytest

from llmitm.tokens import encodings
from llmitm.tokens.encodings import NAMES, O200K, encoding_for, is_loaded, load, preload


@pytest.mark.parametrize(
    ("model", "encoding"),
    [
        ("gpt-4o", "o200k_base"),
        ("gpt-4o-mini-2024-07-18", "o200k_base"),
        ("gpt-4", "cl100k_base"),
        ("gpt-3.5-turbo", "cl100k_base"),
        ("text-embedding-3-small", "cl100k_base"),
        ("openai/gpt-4", "cl100k_base"),
        ("a/b/gpt-4", "cl100k_base"),
        ("ft:gpt-4:org", "cl100k_base"),
        ("claude-sonnet-4-5", "o200k_base"),
        ("llama3.2", "o200k_base"),
        ("text-davinci-003", "o200k_base"),  # its own, p50k, isn't shipped
        ("", "o200k_base"),
    ],
)
def test_encoding_for(model: str, encoding: str) -> None:
    """OpenAI's own encoding where it is known and here, else the newest one."""
    assert encoding_for(model) == encoding


@pytest.mark.parametrize("name", NAMES)
def test_load(name: str) -> None:
    """An encoding is loaded once, and counts as published."""
    encoding = load(name)
    assert load(name) is encoding
    assert is_loaded(name)
    expected = {"o200k_base": [24912, 2375], "cl100k_base": [15339, 1917]}
    assert encoding.encode_ordinary("hello world") == expected[name]


def test_preload(monkeypatch: pytest.MonkeyPatch) -> None:
    """At start the usual encoding is loaded, in a thread of its own; the others wait."""
    monkeypatch.setattr(encodings, "_loaded", {})
    assert not any(map(is_loaded, NAMES))
    thread = preload()
    thread.join(30)
    assert [name for name in NAMES if is_loaded(name)] == [O200K]
    assert thread.daemon
