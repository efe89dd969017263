"""Which encoding a model uses, and loading it without a network."""

from __future__ import annotations

import threading
from functools import cache

import tiktoken

from llmitm.tokens import ranks

O200K = "o200k_base"
NAMES = tuple(file.encoding for file in ranks.RANK_FILES)

_loaded: dict[str, tiktoken.Encoding] = {}
_prepared = cache(ranks.prepare)


def encoding_for(model: str) -> str:
    """The encoding for `model`; o200k_base for models that tiktoken doesn't know.

    Claude, Llama, Gemini and the like have tokenizers of their own, for which it is an estimate.
    A provider prefix (``openai/gpt-4``) is ignored.
    """
    try:
        name = tiktoken.encoding_name_for_model(model.rpartition("/")[2])
    except KeyError:
        return O200K
    return name if name in NAMES else O200K


def load(name: str) -> tiktoken.Encoding:
    """The encoding, loaded once (about 0.3 s). Raises ranks.RanksError."""
    encoding = _loaded.get(name)
    if encoding is None:
        _prepared()
        encoding = _loaded[name] = tiktoken.get_encoding(name)
    return encoding


def is_loaded(name: str) -> bool:
    """Whether `load` would return at once."""
    return name in _loaded


def preload() -> threading.Thread:
    """Load the usual encoding in a thread that this starts and returns.

    The others take 30 MiB each and are loaded when a model needs them.

    Unpacks the ranks before it returns, so that a machine where that can't be done says so
    at start: raises ranks.RanksError.
    """
    _prepared()
    thread = threading.Thread(target=load, args=(O200K,), name="tiktoken-preload", daemon=True)
    thread.start()
    return thread
