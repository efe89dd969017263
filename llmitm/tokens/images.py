"""What an image costs in tokens, by the providers' published rules.

OpenAI: "Images and vision" guide, "Calculating costs" (tiles of 512 px or patches of 32 px).
Anthropic: "Vision" guide, "Evaluate image size" (width x height / 750).
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Mapping

Size = tuple[int, int]

DEFAULT_SIZE: Size = (1024, 1024)  # what a URL is taken to lead to: it is never fetched
_HEADER = 256 * 1024  # base64 characters in which a JPEG's size is looked for

# (base, per tile) and multiplier by the longest prefix of a model's name.
TILES: Mapping[str, tuple[int, int]] = {
    "": (85, 170),
    "gpt-4o-mini": (2833, 5667),
    "gpt-5": (70, 140),
    "o1": (75, 150),
    "o3": (75, 150),
    "computer-use-preview": (65, 129),
}
PATCHES: Mapping[str, float] = {
    "gpt-4.1-mini": 1.62,
    "gpt-4.1-nano": 2.46,
    "gpt-5-mini": 1.62,
    "gpt-5-nano": 2.46,
    "o4-mini": 1.72,
}
MAX_PATCHES = 1536
MAX_TILES = 8  # 768 x 2048 after scaling
CLAUDE_EDGE, CLAUDE_TOKENS = 1568, 1600
CEILING = 4784  # the largest published for one image, but for gpt-4o-mini's tiles


def image_tokens(model: str, size: Size | None = None, detail: str = "auto") -> int:
    """Tokens of an image of `size` (width, height in pixels) at a `detail` of low, high or auto."""
    width, height = size or DEFAULT_SIZE
    name = model.rpartition("/")[2]
    if name.startswith("claude"):
        return _claude(width, height)
    multiplier = _longest(PATCHES, name)
    if multiplier is not None:
        return math.ceil(_patches(width, height) * multiplier)
    base, tile = _longest(TILES, name) or TILES[""]
    return base if detail == "low" else base + tile * _tiles(width, height)


def image_ceiling(model: str) -> int:
    """The most that one image can cost with `model`, in tokens."""
    name = model.rpartition("/")[2]
    base, tile = _longest(TILES, name) or TILES[""]
    return max(CEILING, base + tile * MAX_TILES)


def image_size(url: str) -> Size | None:
    """Width and height of a ``data:`` URL's PNG, GIF, WebP or JPEG; None for anything else."""
    head, _, data = url[: _HEADER + 64].partition(";base64,")
    if not head.startswith("data:image/"):
        return None
    data = data[: len(data) // 4 * 4]
    try:
        return _size(base64.b64decode(data))
    except (binascii.Error, ValueError, IndexError):
        return None


def _longest[T](table: Mapping[str, T], name: str) -> T | None:
    fitting = [prefix for prefix in table if name.startswith(prefix)]
    return table[max(fitting, key=len)] if fitting else None


def _tiles(width: float, height: float) -> int:
    """Tiles of 512 px once the image fits 2048 x 2048 and its shorter side 768."""
    scale = min(1.0, 2048 / max(width, height), 768 / min(width, height))
    return math.ceil(width * scale / 512) * math.ceil(height * scale / 512)


def _patches(width: float, height: float) -> int:
    """Patches of 32 px, the image shrunk until at most 1536 cover it."""
    count = math.ceil(width / 32) * math.ceil(height / 32)
    if count <= MAX_PATCHES:
        return count
    scale = math.sqrt(32 * 32 * MAX_PATCHES / (width * height))
    columns, rows = width * scale / 32, height * scale / 32
    fit = min(math.floor(columns) / columns, math.floor(rows) / rows)
    # The rounding takes off what floating point adds to the side that is now whole.
    return max(1, math.ceil(round(columns * fit, 6)) * math.ceil(round(rows * fit, 6)))


def _claude(width: float, height: float) -> int:
    scale = min(1.0, CLAUDE_EDGE / max(width, height))
    return min(CLAUDE_TOKENS, math.ceil(width * scale * height * scale / 750))


def _size(data: bytes) -> Size | None:
    size = None
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        size = _big(data[16:20]), _big(data[20:24])
    elif data.startswith((b"GIF87a", b"GIF89a")):
        size = _little(data[6:8]), _little(data[8:10])
    elif data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        size = _webp_size(data)
    elif data.startswith(b"\xff\xd8"):
        size = _jpeg_size(data)
    return size if size and min(size) > 0 else None


def _webp_size(data: bytes) -> Size | None:
    """RFC 9649, sections 2.5 to 2.7."""
    kind = data[12:16]
    if kind == b"VP8X":
        return _little(data[24:27]) + 1, _little(data[27:30]) + 1
    if kind == b"VP8L":
        bits = _little(data[21:25])
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        return _little(data[26:28]) & 0x3FFF, _little(data[28:30]) & 0x3FFF
    return None


def _jpeg_size(data: bytes) -> Size | None:
    """The first start-of-frame segment (ITU T.81, B.2.2)."""
    at = 2
    while data[at] == 0xFF:
        marker = data[at + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return _big(data[at + 7 : at + 9]), _big(data[at + 5 : at + 7])
        at += 2 + max(2, _big(data[at + 2 : at + 4]))
    return None


def _big(data: bytes) -> int:
    return int.from_bytes(data, "big")


def _little(data: bytes) -> int:
    return int.from_bytes(data, "little")
