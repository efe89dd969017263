"""A Claude model's signed thinking inside the reasoning items of the Responses API.

Anthropic wants the thinking before a tool call back, signature and all, together with the tool's
result. `encrypted_content` is where clients of OpenAI carry such a thing without looking at it.
"""

from __future__ import annotations

import uuid
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from llmitm.dialects.carry import Json, decode, encode, text

_SEAL: Final = "llmitm."
_OURS: Final = "rs_llmitm"


def thought_id() -> str:
    """An id for a reasoning item that no OpenAI model made."""
    return f"{_OURS}{uuid.uuid4().hex}"


def sealed(blocks: list[Json]) -> str | None:
    """The `encrypted_content` that holds these thinking blocks; None for none."""
    return _SEAL + b64encode(encode(blocks)).decode() if blocks else None


def unsealed(item: Json) -> list[Json]:
    """The thinking blocks of a reasoning item; none of one that OpenAI encrypted."""
    content = text(item, "encrypted_content")
    if not content.startswith(_SEAL):
        return []
    try:
        blocks = decode(b64decode(content.removeprefix(_SEAL), validate=True))
    except (ValueError, msgspec.DecodeError, RecursionError):
        return []
    return [b for b in blocks if isinstance(b, dict)] if isinstance(blocks, list) else []


def without_foreign(body: Mapping[str, Any]) -> dict[str, Any]:
    """The change to a request that leaves out reasoning which OpenAI would not find.

    A conversation may move to OpenAI after another provider answered in it; an item that OpenAI
    can neither look up nor decrypt makes it refuse the whole request.
    """
    items = body.get("input")
    if not isinstance(items, list):
        return {}
    known = [item for item in items if not _is_foreign(item)]
    return {"input": known} if len(known) < len(items) else {}


def _is_foreign(item: object) -> bool:
    if not isinstance(item, dict) or item.get("type") != "reasoning":
        return False
    return text(item, "id").startswith(_OURS) or text(item, "encrypted_content").startswith(_SEAL)
