"""Images in requests, in every dialect."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from llmitm.dialects.media import Media, images

DATA = "data:image/png;base64," + "A" * 100


def message(*parts: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": list(parts)}]}


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (message({"type": "text", "text": "an image"}), Media(0, 0)),
        (message({"type": "image_url", "image_url": {"url": DATA}}), Media(1, len(DATA))),
        (message({"type": "image_url", "image_url": {"url": "https://x/y.png"}}), Media(1, 0)),
        ({"input": [{"content": [{"type": "input_image", "image_url": DATA}]}]},
         Media(1, len(DATA))),
        (message({"type": "image", "source": {"type": "base64", "data": "A" * 50}}), Media(1, 50)),
        (message({"type": "tool_result", "content": [
            {"type": "image", "source": {"type": "url", "url": "https://x"}}]}), Media(1, 0)),
        ({"messages": [{"role": "user", "content": "hi", "images": ["A" * 9, "B" * 9]}]},
         Media(2, 18)),
        ({"prompt": "hi", "images": ["A" * 7]}, Media(1, 7)),
        ({"images": "none", "image": 5}, Media(0, 0)),
    ],
)  # fmt: skip
def test_images(body: Any, found: Media) -> None:
    """How many, and how much of the request they are."""
    assert images(msgspec.json.encode(body), body) == found


def test_deep_nesting() -> None:
    """A request made of brackets keeps nobody busy."""
    body: Any = []
    for _ in range(200):
        body = [body]
    assert images(b'"image"', body) == Media(0, 0)
