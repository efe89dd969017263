"""One line about a call: the comment column, its marker, and the metadata that `~meta` finds."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from llmitm.call import Attempt, Call, CallRecord
from llmitm.errors import Cause

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


def running_comment(call: Call, asked: str | None) -> str:
    """The same for a call on its way; `asked` is the model that its body names."""
    last = call.attempts[-1] if call.attempts else None
    state = "waiting for a target" if last is None else "waiting for the first token"
    if call.first_token is not None:
        state = "streaming" if call.stream else "answering"
    parts = [call.model or asked or call.operation]
    if last is not None:
        parts.append(f"{last.target.provider}/{last.model}")
    if call.first_token is not None:
        parts.append(f"first token {(call.first_token - call.started) * 1000:.0f} ms")
    return joined(*parts, f"{state} …")


def attempt_comment(attempt: Attempt) -> str:
    """What became of one attempt."""
    on_its_way = "answering …" if attempt.status else "waiting …"
    result = attempt.error or ("answered" if attempt.ended else on_its_way)
    status = f"{attempt.status} {result}" if attempt.status else result
    target = f"{attempt.target.provider}/{attempt.model}"
    parts = [f"↳ attempt {attempt.number}", target, status]
    if attempt.ended is not None:
        parts.append(f"{attempt.ms} ms")
    return joined(*parts)


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
