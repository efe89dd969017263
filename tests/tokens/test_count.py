"""One text's tokens: the published numbers, and texts meant to break a tokenizer."""

from __future__ import annotations

import asyncio
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmitm.tokens import count, count_async, count_text, encoding_for, preload, upper_estimate
from llmitm.tokens.count import CHUNK, SEAM, chunks
from llmitm.tokens.encodings import NAMES, is_loaded, load

MODELS = ("gpt-4o", "gpt-4")


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("gpt-4o", "o200k_base"),
        ("gpt-4o-mini-2024-07-18", "o200k_base"),
        ("gpt-4.1", "o200k_base"),
        ("gpt-5-mini", "o200k_base"),
        ("o3", "o200k_base"),
        ("gpt-oss-120b", "o200k_base"),
        ("openai/gpt-4", "cl100k_base"),
        ("gpt-4-turbo", "cl100k_base"),
        ("gpt-3.5-turbo", "cl100k_base"),
        ("text-embedding-3-small", "cl100k_base"),
        ("ft:gpt-3.5-turbo:acme::1", "cl100k_base"),
        ("text-davinci-003", "o200k_base"),
        ("claude-sonnet-4-5", "o200k_base"),
        ("llama3.2", "o200k_base"),
        ("gemini-2.5-pro", "o200k_base"),
        ("", "o200k_base"),
    ],
)
def test_encoding_for(model: str, name: str) -> None:
    """Models that tiktoken knows get their encoding, all others o200k_base."""
    assert encoding_for(model) == name


def test_golden_tokens() -> None:
    """The ranks are the real ones."""
    assert load("o200k_base").encode_ordinary("hello world") == [24912, 2375]
    assert load("cl100k_base").encode_ordinary("hello world") == [15339, 1917]


def test_preload_warms_every_encoding() -> None:
    """After its thread has ended, counting needs no loading."""
    preload().join(30)
    assert all(is_loaded(name) for name in NAMES)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    ("text", "least", "most"),
    [
        (" " * 1_000_000, 1_000, 20_000),
        ("a" * 1_000_000, 100_000, 200_000),
        ("\n" * 1_000_000, 10_000, 100_000),
        ("<|endoftext|>", 5, 10),
        ("\ud800" * 1000, 1, 3000),
        ("\x00" * 1000, 1, 3000),
        ("😀" * 50_000, 50_000, 200_000),
        ("", 0, 0),
    ],
)
def test_hostile_text_is_counted(model: str, text: str, least: int, most: int) -> None:
    """Texts that make tiktoken raise or panic get a number all the same."""
    assert least <= count_text(text, model) <= most


def test_text_beyond_the_cap_is_extrapolated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Past the cap the rest is taken to be like the part that was counted."""
    monkeypatch.setattr(count, "CAP", 50_000)
    assert count_text("word " * 40_000, "gpt-4o") == pytest.approx(40_000, rel=0.01)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    "text",
    [
        'The quick brown fox, 12345 times; it\'s "over"!\n\n' * 2_000,
        "def f(x):\n    return {x: [1, 2, 3]}  # why\n\n\n" * 2_000,
        "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich.\r\n" * 1_500,
        "一二三，四五六。\n" * 5_000,
    ],
)
def test_chunking_changes_no_count(model: str, text: str) -> None:
    """Cut at seams, a long text has exactly the tokens that it has in one piece."""
    whole = len(load(encoding_for(model)).encode_ordinary(text))
    assert len(text) > 2 * CHUNK
    assert count_text(text, model) == whole


TEXTS = st.text(alphabet="ab Z.,/\n\r\t'19é一\u3000\x1c", min_size=1, max_size=40)


@given(TEXTS)
@settings(max_examples=300, deadline=None)
def test_a_seam_cuts_no_token(text: str) -> None:
    """Wherever a chunk may end, the tokens before and after are the tokens of the whole."""
    for name in NAMES:
        tokens = load(name).encode_ordinary
        for seam in SEAM.finditer(text):
            at = seam.start()
            assert tokens(text[:at]) + tokens(text[at:]) == tokens(text)


@given(TEXTS, st.integers(0, 3 * CHUNK))
@settings(max_examples=50, deadline=None)
def test_chunks_tile_the_text(text: str, length: int) -> None:
    """Chunks are bounded, none is empty, and together they are the text."""
    long = (text * length)[: max(1, length)]
    pieces = list(chunks(long))
    assert "".join(pieces) == long
    assert all(0 < len(piece) <= CHUNK for piece in pieces) or not long


class Broken:
    """An encoding whose Rust side raises `error`."""

    def __init__(self, error: type[BaseException]) -> None:
        self.error = error

    def encode_ordinary(self, text: str) -> list[int]:
        raise self.error("at the disco")


PanicException = type("PanicException", (BaseException,), {})


def test_a_panic_is_estimated(monkeypatch: pytest.MonkeyPatch) -> None:
    """A panic of the tokenizer gives a quarter of the text's bytes."""
    monkeypatch.setattr(count, "load", lambda name: Broken(PanicException))
    assert count_text("é" * 100 + "\ud800", "gpt-4o") == 51


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt, SystemExit, asyncio.CancelledError, MemoryError]
)
def test_other_exceptions_are_not_swallowed(
    monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    """Whatever isn't a panic goes to the caller."""
    monkeypatch.setattr(count, "load", lambda name: Broken(error))
    with pytest.raises(error):
        count_text("text", "gpt-4o")


@pytest.mark.parametrize(("length", "inline"), [(100, True), (100_000, False)])
async def test_long_texts_leave_the_event_loop(
    monkeypatch: pytest.MonkeyPatch, length: int, inline: bool
) -> None:
    """A short text is counted at once, a long one in another thread."""
    counted_in = []

    def spy(text: str, model: str) -> int:
        counted_in.append(threading.current_thread())
        return 1

    load("o200k_base")
    monkeypatch.setattr(count, "count_text", spy)
    assert await count_async("a " * (length // 2), "gpt-4o") == 1
    assert (counted_in == [threading.current_thread()]) is inline


@given(st.text(max_size=400))
@settings(max_examples=200, deadline=None)
def test_upper_estimate_is_never_below_the_count(text: str) -> None:
    """No text has more tokens than its bytes."""
    size = len(text.encode())
    assert all(count_text(text, model) <= upper_estimate(size) for model in MODELS)


def test_upper_estimate_bills_media_by_the_image() -> None:
    """Base64 bytes of images count as images, not as text."""
    bare = upper_estimate(1_000)
    assert upper_estimate(1_001_000, media_bytes=1_000_000) == bare
    assert upper_estimate(1_000, images=2) - bare >= 2 * 1445
