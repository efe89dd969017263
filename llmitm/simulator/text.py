"""The simulator's words, and how it counts tokens.

A token is at most eight characters that are no white space, together with the white space
before them. So an ordinary word is one token, and what is streamed is what is counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from hashlib import blake2b
from random import Random

type Turn = tuple[str, str]  # role ("system", "user", "assistant", "tool") and text

_PIECE = re.compile(r"\s*\S{1,8}|\s+")
_SENTENCE = 9  # words; the last one carries the full stop
# At most seven letters each, so that a word and its full stop are one token.
_VOCABULARY = (
    "amber anchor basin beacon birch bridge canyon cedar chapel cinder circle clover copper "
    "coral cotton crystal delta ember fabric falcon fern field fjord flint forest garden "
    "glacier granite harbor hazel hollow island ivory jasper juniper kettle ladder lagoon "
    "lantern linen maple marble meadow mirror morning nectar north ocean orchard pebble "
    "pepper pine planet prairie quarry quiet ribbon river saddle shadow silver spruce stone "
    "summit thunder timber valley velvet violet walnut water willow window winter yellow"
)
_WORDS = tuple(_VOCABULARY.split())


def pieces(text: str) -> list[str]:
    """The tokens of `text`; joined they give it back."""
    return _PIECE.findall(text)


def count(text: str) -> int:
    """The number of tokens in `text`."""
    return len(_PIECE.findall(text))


def digest(seed: int, turns: Iterable[Turn], choice: int = 0) -> int:
    """What decides an answer's words. White space does not matter, only words do."""
    state = blake2b(f"{seed}/{choice}".encode(), digest_size=8)
    for role, text in turns:
        state.update(f"\0{role}\0{' '.join(text.split())}".encode(errors="replace"))
    return int.from_bytes(state.digest())


@lru_cache(maxsize=128)
def prose(key: int, length: int) -> tuple[str, ...]:
    """`length` tokens of text. A shorter text of the same key is the start of a longer one."""
    words = Random(key).choices(_WORDS, k=length)
    return tuple(_spell(word, place) for place, word in enumerate(words))


def _spell(word: str, place: int) -> str:
    in_sentence = place % _SENTENCE
    if in_sentence == 0:
        word = word.capitalize()
    stop = "." if in_sentence == _SENTENCE - 1 else ""
    return f"{' ' if place else ''}{word}{stop}"
