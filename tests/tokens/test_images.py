"""Image tokens: the worked examples of the providers' guides."""

from __future__ import annotations

import base64
import struct

import pytest

from llmitm.tokens import image_size, image_tokens

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", 640, 480)
GIF = b"GIF89a" + struct.pack("<HH", 640, 480)
SEGMENTS = b"\xff\xe0\x00\x10" + bytes(14) + b"\xff\xdb\x00\x04" + bytes(2)
JPEG = b"\xff\xd8" + SEGMENTS + b"\xff\xc2\x00\x11\x08" + struct.pack(">HH", 480, 640)
VP8 = b"RIFF\0\0\0\0WEBPVP8 " + bytes(10) + struct.pack("<HH", 640, 480)
VP8L = b"RIFF\0\0\0\0WEBPVP8L" + bytes(5) + struct.pack("<I", 639 | 479 << 14)
VP8X = b"RIFF\0\0\0\0WEBPVP8X" + bytes(8) + struct.pack("<I", 639)[:3] + struct.pack("<I", 479)[:3]


@pytest.mark.parametrize(
    ("model", "size", "detail", "tokens"),
    [
        ("gpt-4o", (1024, 1024), "high", 765),
        ("gpt-4o", (2048, 4096), "high", 1105),
        ("gpt-4o", (4096, 8192), "low", 85),
        ("gpt-4o", (128, 64), "high", 255),
        ("openai/gpt-4o", None, "auto", 765),
        ("gpt-4o-mini", (128, 64), "high", 8500),
        ("gpt-5", (1024, 1024), "high", 630),
        ("o3", (1024, 1024), "low", 75),
        ("gpt-4.1-mini", (1024, 1024), "high", 1659),
        ("gpt-4.1-nano", (1800, 2400), "high", 3572),
        ("o4-mini", (128, 64), "high", 14),
        ("gpt-4.1-mini", (1, 1_000_000), "high", 2),
        ("claude-sonnet-4-5", (200, 200), "auto", 54),
        ("claude-sonnet-4-5", (1000, 1000), "auto", 1334),
        ("claude-sonnet-4-5", (8000, 8000), "auto", 1600),
    ],
)
def test_image_tokens(model: str, size: tuple[int, int] | None, detail: str, tokens: int) -> None:
    """Tiles, patches and Anthropic's area rule give the published numbers."""
    assert image_tokens(model, size, detail) == tokens


@pytest.mark.parametrize("content", [PNG, GIF, JPEG, VP8, VP8L, VP8X])
def test_image_size(content: bytes) -> None:
    """The size is read from the header of each format that providers accept."""
    url = "data:image/any;base64," + base64.b64encode(content).decode()
    assert image_size(url) == (640, 480)


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/cat.png",
        "data:text/plain;base64,AAAA",
        "data:image/png;base64,",
        "data:image/png;base64,é!",
        *(
            "data:image/x;base64," + base64.b64encode(content).decode()
            for content in (
                b"unknown format",
                PNG[:16] + bytes(8),
                b"\xff\xd8\xff",
                b"\xff\xd8" + SEGMENTS,
                b"RIFF\0\0\0\0WEBPnone",
            )
        ),
    ],
)
def test_image_size_unknown(url: str) -> None:
    """Links, other types and broken headers have no size, and raise nothing."""
    assert image_size(url) is None
