"""What a WebSocket session says that the gateway must know: keys, models, usage, how it ends."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields
from urllib.parse import quote

import msgspec

from llmitm.call import Usage
from llmitm.dialects.usage import from_openai

# How browsers, which can't set headers, present a key (OpenAI's Realtime API).
_KEY_PROTOCOL = "openai-insecure-api-key."
_NO_STATUS, _LOST = 1005, 1006
_NEVER_SENT = frozenset({1004, _NO_STATUS, _LOST, 1015})  # RFC 6455 §7.4.1

_decode = msgspec.json.Decoder().decode


def key_of_protocols(offered: Sequence[str]) -> tuple[str | None, list[str]]:
    """The client's key among the protocols that it offers, and the protocols without it."""
    keys = [p for p in offered if p.startswith(_KEY_PROTOCOL)]
    rest = [p for p in offered if p and p not in keys]
    return (keys[0].removeprefix(_KEY_PROTOCOL) if keys else None), rest


def with_model(url: str, asked: str | None, model: str) -> str:
    """`url` with the target's model in its query, in place of the one that was asked for."""
    base, _, query = url.partition("?")
    if asked is None or asked == model:
        return url
    pairs = [pair for pair in query.split("&") if pair.partition("=")[0] != "model"]
    return f"{base}?{'&'.join([*pairs, f'model={quote(model)}'])}"


def models_named(data: str | bytes) -> Iterator[str]:
    """Every model that an event of a client names, for itself, its session or its response."""
    event = _event(data, "model")
    for part in (event, event.get("session"), event.get("response")):
        if isinstance(part, dict) and isinstance(part.get("model"), str):
            yield part["model"]


def add_usage(known: Usage | None, data: str | bytes) -> Usage | None:
    """`known` and what an event of the provider adds to it: each response reports its own usage."""
    event = _event(data, "usage")
    response = event.get("response")
    usage = from_openai(response.get("usage")) if isinstance(response, dict) else None
    if usage is None or not str(event.get("type")).endswith((".done", ".completed", ".incomplete")):
        return known
    if known is None:
        return usage
    counts = (f.name for f in fields(Usage) if f.name != "estimated")
    return Usage(**{name: getattr(known, name) + getattr(usage, name) for name in counts})


def close_code(code: int | None) -> int:
    """The status code to close the other side with."""
    if code is None or code == _NO_STATUS:
        return 1000
    return 1011 if code in _NEVER_SENT else code


def _event(data: str | bytes, field: str) -> dict[str, object]:
    """A message as the JSON object that it is, where it has such a field; most need no parsing."""
    if field not in data if isinstance(data, str) else field.encode() not in data:
        return {}
    try:
        event = _decode(data)
    except (ValueError, RecursionError):
        return {}
    return event if isinstance(event, dict) else {}
