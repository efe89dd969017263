"""Embeddings: unit vectors that the text alone decides."""

from __future__ import annotations

import math
import struct
from base64 import b64encode
from random import Random

from llmitm.simulator.exchange import Exchange
from llmitm.simulator.refusals import Refused, invalid
from llmitm.simulator.text import digest

_SIZE = 384
_MOST = 4096


def dimensions(ex: Exchange) -> int:
    """The size of the vectors that a request asks for. Raises Refused."""
    size = ex.limit("dimensions") or _SIZE
    if size > _MOST:
        raise Refused(invalid(f"'dimensions' must be at most {_MOST}.", "dimensions"))
    return size


def vector(seed: int, text: str, size: int) -> list[float]:
    """The embedding of `text`: `size` numbers, the sum of whose squares is 1."""
    random = Random(digest(seed, (("user", text),)))
    raw = [random.uniform(-1, 1) for _ in range(size)]
    length = math.sqrt(sum(number * number for number in raw))
    return [number / length for number in raw]


def as_base64(numbers: list[float]) -> str:
    """The numbers as 32-bit floats, little-endian, in base64."""
    return b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()
