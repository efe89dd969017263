"""One line about a call: the comment column, its marker, and the metadata that `~meta` finds."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from llmitm.call import CallRecord
from llmitm.errors import Cause
from llmitm.inspector.snapshot import Sent

Scalar = str | int | float | bool

# Names of mitmproxy's markers, which its web UI shows as emoji.
FAILED = ":x:"
LIMITED = ":no_entry:"
EXPENSIVE = ":moneybag:"
FAILED_OVER = ":twisted_rightwards_arrows:"

_LIMITS = frozenset({Cause.RATE_LIMITED.value, Cause.BUDGET_EXHAUSTED.value})
_SEPARATOR = " · "
_NOT_SHOWN = frozenset({"attempts", "ts"})


def comment(record: CallRecord) -> str:
    """`model · target · tokens · cost · first token · outcome`, what is not known left out."""
    tokens = f"{record.prompt_tokens}→{record.completion_tokens} tokens"
    parts = [
        record.model or record.operation,
        record.target or "no target",
        ("~" if record.estimated else "") + tokens if _counted(record) else None,
        money(record.cost_usd) if record.cost_usd is not None else None,
        f"first token {record.ttft_ms:.0f} ms" if record.ttft_ms is not None else None,
        outcome(record),
    ]
    return joined(*parts)


def joined(*parts: str | None) -> str:
    """The parts that say something, in one line."""
    return _SEPARATOR.join(part for part in parts if part)


def running_comment(record: CallRecord, asked: str | None) -> str:
    """The same for a call on its way; `asked` is the model that its body names."""
    state = "waiting for a target" if record.target is None else "waiting for the first token"
    if record.ttft_ms is not None:
        state = "streaming" if record.stream else "answering"
    first = f"first token {record.ttft_ms:.0f} ms" if record.ttft_ms is not None else None
    name = record.model or asked or record.operation
    return joined(name, record.target, first, f"{state} …")


def attempt_comment(sent: Sent) -> str:
    """What became of one attempt."""
    on_its_way = "answering …" if sent.status else "waiting …"
    result = sent.error or ("answered" if sent.ms is not None else on_its_way)
    status = f"{sent.status} {result}" if sent.status else result
    took = f"{sent.ms} ms" if sent.ms is not None else None
    return joined(f"↳ attempt {sent.number}", sent.target, status, took)


def marker(record: CallRecord, expensive: Decimal | None) -> str:
    """The marker of a call that deserves a look; empty for any other."""
    if record.error in _LIMITS:
        return LIMITED
    if record.error is not None or record.status >= 400:
        return FAILED
    if expensive is not None and record.cost_usd is not None and record.cost_usd >= expensive:
        return EXPENSIVE
    return FAILED_OVER if len(record.attempts) > 1 else ""


def outcome(record: CallRecord) -> str:
    """How a call ended, in a few words."""
    if record.error is not None:
        return f"{record.status} {record.error}"
    if len(record.attempts) > 1:
        return f"{record.status} after {len(record.attempts)} attempts"
    return f"{record.status} ok" if record.status < 400 else str(record.status)


def metadata(record: CallRecord) -> dict[str, Scalar]:
    """The record as the scalars that a flow may carry, without what is not known."""
    fields = msgspec.structs.asdict(record)
    found = {name: _scalar(value) for name, value in fields.items() if name not in _NOT_SHOWN}
    found["attempts"] = len(record.attempts)
    return known(found)


def known(values: Mapping[str, Scalar | None]) -> dict[str, Scalar]:
    return {name: value for name, value in values.items() if value is not None}


def money(usd: Decimal) -> str:
    """An amount with the digits that say something: $1.25, $0.0012."""
    if not usd:
        return "$0"
    # Two digits from the first that is not zero on, never as an exponent.
    return f"${usd:.{max(2, 1 - usd.adjusted())}f}"


def _counted(record: CallRecord) -> bool:
    return bool(record.prompt_tokens or record.completion_tokens)


def _scalar(value: object) -> Scalar | None:
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return f"{value:f}" if isinstance(value, Decimal) else str(value)
