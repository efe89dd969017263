"""The upper bound of a prompt's tokens that reservations use: no tokenizer, no parsing."""

from __future__ import annotations

from llmitm.tokens.images import image_ceiling

# Chat templates and the priming of the reply, beyond the bytes that JSON spends on structure.
TEMPLATE = 32


def upper_estimate(
    body_bytes: int, *, media_bytes: int = 0, images: int = 0, model: str = ""
) -> int:
    """No prompt of `body_bytes` bytes of JSON has more tokens than this.

    Byte-level BPE makes at least one byte into each token, and the JSON around a message is
    longer than the tokens that frame it. `media_bytes` is how many of the bytes are base64
    media, which is billed by size and not by byte; `images` is how many images there are.
    """
    return max(0, body_bytes - media_bytes) + images * image_ceiling(model) + TEMPLATE
