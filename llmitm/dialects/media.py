"""Images in a request: how many, and how many of its bytes are theirs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

_DEPTH = 12
# Every dialect says one of these where there is an image; most requests need no closer look.
_HINTS = (b'"image', b'"input_image"', b'"images"')


class Media(NamedTuple):
    """`size` is bytes of base64 in the request's JSON."""

    images: int
    size: int


NONE = Media(0, 0)


def images(raw: bytes, body: Any) -> Media:
    """The images in `body`, whose JSON is `raw`."""
    if not any(hint in raw for hint in _HINTS):
        return NONE
    found = list(_images(body, _DEPTH))
    return Media(len(found), sum(found))


def _images(value: Any, depth: int) -> Iterator[int]:
    """The size of each image's base64; 0 for one that is given by its URL."""
    if depth and isinstance(value, list):
        for item in value:
            yield from _images(item, depth - 1)
    elif depth and isinstance(value, dict):
        if value.get("type") in ("image_url", "input_image", "image"):
            yield _size(value.get("image_url") or value.get("source"))
        elif isinstance(pictures := value.get("images"), list):
            yield from (_size(picture) for picture in pictures)  # Ollama
        for item in value.values():
            if isinstance(item, list | dict):
                yield from _images(item, depth - 1)


def _size(picture: Any) -> int:
    if isinstance(picture, dict):
        picture = picture.get("url") or picture.get("data")
    if not isinstance(picture, str) or picture.startswith(("http://", "https://")):
        return 0
    return len(picture)
