"""Counting the tokens of one text, whatever the text is."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import tiktoken

from llmitm.tokens.encodings import encoding_for, is_loaded, load

CHUNK = 16_384  # characters given to tiktoken at once; a million spaces make it panic
CAP = 4_000_000  # characters counted; the rest is taken to be alike
INLINE = 8_000  # characters (about 1 ms) that may be counted on the event loop
BYTES_PER_TOKEN = 4  # OpenAI's rule of thumb for English

# Both encodings split text before words, so cutting here changes no token: before the space
# that starts a word, and after a line break that no further white space or slash follows.
SEAM = re.compile(r"(?<=\S)(?= )|(?<=\n)(?=[^\s/])")
SEAM_WINDOW = 1_024

# Two threads: counting must not take all cores from the event loop.
pool = ThreadPoolExecutor(max_workers=2, thread_name_prefix="tiktoken")


def count_text(text: str, model: str) -> int:
    """The tokens of `text` for `model`, special tokens counted as the ordinary text they are.

    Exact up to 4 million characters of a text with spaces; beyond that, or where 16,384
    characters come without a seam, off by a few tokens. 100,000 tokens take about 40 ms.
    """
    encoding = load(encoding_for(model))
    if len(text) <= CHUNK:
        return _count(encoding, text)
    counted = sum(_count(encoding, chunk) for chunk in chunks(text[:CAP]))
    return counted if len(text) <= CAP else -(-counted * len(text) // CAP)


async def count_async(text: str, model: str) -> int:
    """`count_text`, in a thread unless that would take under about a millisecond."""
    if len(text) <= INLINE and is_loaded(encoding_for(model)):
        return count_text(text, model)
    return await asyncio.get_running_loop().run_in_executor(pool, count_text, text, model)


def chunks(text: str) -> Iterator[str]:
    """`text` in pieces of at most CHUNK characters, cut where no token is cut where possible."""
    start = 0
    while len(text) - start > CHUNK:
        end = _last_seam(text, start + CHUNK)
        yield text[start:end]
        start = end
    yield text[start:]


def _last_seam(text: str, limit: int) -> int:
    seam = limit
    for match in SEAM.finditer(text, limit - SEAM_WINDOW, limit):
        seam = match.start()
    return seam


def _count(encoding: tiktoken.Encoding, text: str) -> int:
    try:
        return len(encoding.encode_ordinary(text))
    except BaseException as error:
        # A panic of the Rust side is a BaseException of a class that can't be imported.
        if type(error).__name__ != "PanicException":
            raise
        return -(-len(text.encode("utf-8", "surrogatepass")) // BYTES_PER_TOKEN)
