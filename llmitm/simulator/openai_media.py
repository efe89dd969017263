"""OpenAI's pictures, transcriptions and moderations."""

from __future__ import annotations

import struct
import time
import zlib
from base64 import b64encode
from typing import Any

from llmitm.simulator.exchange import Exchange
from llmitm.simulator.frames import encode
from llmitm.simulator.ids import new_id
from llmitm.simulator.openai_chat import choices
from llmitm.simulator.refusals import Refused, invalid
from llmitm.simulator.reply import Reply
from llmitm.simulator.text import count, digest, prose

_CATEGORIES = (
    "harassment",
    "harassment/threatening",
    "hate",
    "hate/threatening",
    "illicit",
    "illicit/violent",
    "self-harm",
    "self-harm/instructions",
    "self-harm/intent",
    "sexual",
    "sexual/minors",
    "violence",
    "violence/graphic",
)


def images(ex: Exchange) -> Reply:
    """Answers with pictures of one grey pixel."""
    prompt = ex.body.get("prompt")
    if not isinstance(prompt, str) or not prompt:
        raise Refused(invalid("'prompt' is required.", "prompt"))
    made = choices(ex)
    usage = {
        "input_tokens": count(prompt),
        "input_tokens_details": {"text_tokens": count(prompt), "image_tokens": 0},
        "output_tokens": made,
        "total_tokens": count(prompt) + made,
    }
    picture = {"b64_json": b64encode(_pixel()).decode()}
    body = {"created": int(time.time()), "data": [picture] * made, "usage": usage}
    return Reply("openai", encode({**body, "output_format": "png", "size": "1x1"}))


def transcriptions(ex: Exchange) -> Reply:
    """Answers with words that the file's name decides."""
    match ex.body.get("file"):
        case {"filename": str(name)}:
            pass
        case _:
            raise Refused(invalid("'file' is required.", "file"))
    length = ex.stands_in("tokens", ex.settings.tokens)
    key = digest(ex.settings.seed, (("user", name),))
    text = "".join(prose(key, length))
    if ex.body.get("response_format") == "text":
        body = f"{text}\n".encode()
        return Reply("openai", body, content_type="text/plain; charset=utf-8")
    usage = {
        "type": "tokens",
        "input_tokens": ex.stands_in("prompt", 10),
        "output_tokens": length,
        "total_tokens": ex.stands_in("prompt", 10) + length,
    }
    return Reply("openai", encode({"text": text, "usage": usage}))


def moderations(ex: Exchange) -> Reply:
    """Flags nothing."""
    given = ex.body.get("input")
    if not given:
        raise Refused(invalid("'input' is required.", "input"))
    inputs = given if isinstance(given, list) else [given]
    model = ex.body.get("model") or "omni-moderation-latest"
    results = [_verdict() for _ in inputs]
    return Reply("openai", encode({"id": new_id("modr-"), "model": model, "results": results}))


def _verdict() -> dict[str, Any]:
    return {
        "flagged": False,
        "categories": dict.fromkeys(_CATEGORIES, False),
        "category_scores": dict.fromkeys(_CATEGORIES, 0.0),
        "category_applied_input_types": {name: ["text"] for name in _CATEGORIES},
    }


def _pixel() -> bytes:
    """A PNG (RFC 2083) of one grey pixel."""
    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    chunks = (b"IHDR", header), (b"IDAT", zlib.compress(b"\x00\x80")), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
