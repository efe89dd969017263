"""A call's record as the databases hold it, and back."""

from __future__ import annotations

from typing import Any

import msgspec

from llmitm.call import AttemptRecord, CallRecord
from llmitm.stores.money import from_pico, to_pico
from llmitm.stores.tables import CALLS

QUARTER = 900  # seconds; every time zone's day begins on one
_MOST_TOKENS = 1 << 40
_MOST_BYTES = 400  # six such values still fit PostgreSQL's index entries of 2,704 bytes

_encode = msgspec.json.Encoder().encode
_attempts = msgspec.json.Decoder(tuple[AttemptRecord, ...]).decode


class ContentRecord(msgspec.Struct, frozen=True, array_like=True):
    """What a call said and was answered, for those who log it. `ts` as in the call's record."""

    request_id: str
    ts: float
    request: str | None
    response: str | None


def encode_call(record: CallRecord) -> bytes:
    """The values of `CALLS` as a JSON array. Raises ValueError for a time that is no number."""
    return _json(
        (
            _short(record.request_id),
            record.ts,
            int(record.ts // QUARTER) * QUARTER,
            _short(record.key),
            _short(record.user),
            _short(record.team),
            record.dialect,
            record.operation,
            _short(record.route),
            _short(record.model),
            _short(record.target),
            record.attempts,
            record.status,
            record.stream,
            _short(record.error),
            _tokens(record.prompt_tokens),
            _tokens(record.cached_tokens),
            _tokens(record.cache_write_tokens),
            _tokens(record.completion_tokens),
            _tokens(record.reasoning_tokens),
            record.estimated,
            to_pico(record.cost_usd),
            record.ttft_ms,
            record.duration_ms,
            record.overhead_ms,
            _short(record.client),
        )
    )


def encode_content(record: ContentRecord) -> bytes:
    """The values of `tables.CONTENT` as a JSON array."""
    return _json(record)


def decode_call(values: tuple[Any, ...]) -> CallRecord:
    """The record whose `CALLS` columns a database returned."""
    row = dict(zip((column.name for column in CALLS.columns), values, strict=True))
    del row["quarter"]
    cost = row.pop("cost_pico")
    return CallRecord(
        key=row.pop("key_id"),
        user=row.pop("user_id"),
        attempts=_attempts(row.pop("attempts")),
        stream=bool(row.pop("stream")),
        estimated=bool(row.pop("estimated")),
        cost_usd=None if cost is None else from_pico(cost),
        **row,
    )


def _json(value: object) -> bytes:
    try:
        encoded = _encode(value)
    except UnicodeEncodeError:
        return _encode(_clean(value))
    return _encode(_clean(value)) if b"\\u0000" in encoded else encoded


def _clean(value: object) -> object:
    """The same with U+FFFD for what no database takes as text: NUL and lone surrogates."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode().replace("\0", "\ufffd")
    if isinstance(value, tuple | list):
        return [_clean(item) for item in value]
    if isinstance(value, msgspec.Struct):
        return _clean(msgspec.to_builtins(value))
    if isinstance(value, dict):
        return {name: _clean(item) for name, item in value.items()}
    return value


def _short(text: str | None) -> str | None:
    if text is None or len(text) * 4 <= _MOST_BYTES:
        return text
    return text.encode("utf-8", "replace")[:_MOST_BYTES].decode("utf-8", "ignore")


def _tokens(count: int) -> int:
    return max(0, min(count, _MOST_TOKENS))
