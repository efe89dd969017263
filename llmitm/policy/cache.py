"""Which requests are the same, whose answers they may get, and what a client says about it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Any, Literal

import msgspec

Sharing = Literal["key", "user", "team", "global"]

OPERATIONS = frozenset(
    {"chat", "completions", "responses", "messages", "generate", "embeddings", "embed"}
)
# Headers that change what a provider answers.
HEADERS = ("anthropic-beta", "anthropic-version", "openai-beta")
# Fields of a request that change something elsewhere, or whose answer isn't all there yet.
_STATEFUL = ("background", "container", "conversation")
# Fields that say who asks rather than what; a response of the Responses API repeats them.
_ABOUT_CLIENT = frozenset({"metadata", "prompt_cache_key", "safety_identifier", "user"})
_REPEATING = "responses"

_encode = msgspec.json.Encoder(order="sorted").encode
_MAX_AGE = re.compile(r"max-age=(\d{1,9})")


def repeatable(operation: str, body: Mapping[str, Any]) -> bool:
    """Whether the answer to a request may be given again."""
    return operation in OPERATIONS and not any(body.get(name) for name in _STATEFUL)


def fingerprint(
    operation: str, body: Mapping[str, Any], *, stream: bool, beside: tuple[str | None, ...] = ()
) -> bytes:
    """What two requests share where they may get the same answer.

    The order of a JSON object's fields doesn't matter, nor does what only says who asks.
    `beside` is what counts beside the body.
    """
    ignored = {"stream"} if operation == _REPEATING else {"stream", *_ABOUT_CLIENT}
    if not stream:
        ignored.add("stream_options")
    asked = {name: value for name, value in body.items() if name not in ignored}
    return hashlib.sha256(_encode([operation, stream, beside, asked])).digest()


def sharers(sharing: Sharing, key: str, user: str | None, team: str | None) -> str:
    """Who gets each other's answers; who has no team or user keeps theirs to their key."""
    if sharing == "global":
        return "global"
    owner = {"key": None, "user": user, "team": team}[sharing]
    return f"key:{key}" if owner is None else f"{sharing}:{owner}"


@dataclass(frozen=True, slots=True)
class Wish:
    """What a client allows: reading a kept answer, at most so many seconds old; keeping its own."""

    read: bool = True
    keep: bool = True
    max_age: float = inf


def wish_of(header: str) -> Wish:
    """A request's `cache-control` header (RFC 9111 §5.2.1), what it says beyond this left out."""
    directives = [one.strip() for one in header.lower().split(",")]
    if "no-store" in directives:
        return Wish(read=False, keep=False)
    if "no-cache" in directives:
        return Wish(read=False)
    ages = [float(found[1]) for one in directives if (found := _MAX_AGE.fullmatch(one))]
    return Wish(max_age=min(ages, default=inf))
