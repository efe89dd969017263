"""What to do after an attempt: deliver, ask another target, ask again later, or stop.

The order of preference: a target this call has not asked yet, at once, since waiting helps the
client less than a healthy target does; only then back to one that was asked before, after its
backoff or the pause it asked for. A retry budget guards the way back alone: moving on asks each
target no more often than there are calls.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol

from llmitm.errors import Cause
from llmitm.policy.backoff import delay
from llmitm.policy.outcome import AttemptOutcome, Failure, Outcome
from llmitm.policy.provider_error import ProviderCode


class Candidate(Protocol):
    """A target of the call's plan; `context` is its declared context window in tokens."""

    @property
    def name(self) -> str: ...

    @property
    def context(self) -> int | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What the call may still do. Times are monotonic seconds.

    `targets` is the whole plan in order, `earlier` the outcomes before the one that is decided
    on, oldest first. `attempts` bounds the requests sent to all targets together, `repeats` how
    often one of them is asked again. No attempt starts at or after `deadline`. `may_retry` is
    whether the retry budget has room, `resume` whether a committed stream can be continued.
    """

    targets: Sequence[Candidate]
    earlier: Sequence[AttemptOutcome] = ()
    attempts: int = 3
    repeats: int = 2
    deadline: float = float("inf")
    backoff_base: float = 0.5
    backoff_max: float = 8.0
    backoff_growth: float = 2.0
    may_retry: bool = True
    prompt_tokens: int | None = None
    failover_on_content_policy: bool = False
    resume: bool = False


@dataclass(frozen=True, slots=True)
class Deliver:
    """The client gets what this attempt brought, answer or refusal, as the provider said it.

    The status may be a server's: llama.cpp says 500 to a prompt that is too long.
    """


@dataclass(frozen=True, slots=True)
class Next:
    """Ask `target`, which this call has not asked yet, at once."""

    target: str


@dataclass(frozen=True, slots=True)
class Retry:
    """Ask `target` again after `after` seconds. Takes one from the retry budget."""

    target: str
    after: float


@dataclass(frozen=True, slots=True)
class Stop:
    """Nothing is left to try. `retry_after` is seconds, where a target said when to come back."""

    cause: Cause
    retry_after: float | None = None


type Decision = Deliver | Next | Retry | Stop


class _Kind(Enum):
    """What an outcome says about asking that target again in this call."""

    ANSWER = auto()  # the request is at fault: every target would say so
    CONTEXT = auto()  # the prompt is too long for this one
    POLICY = auto()
    ACCOUNT = auto()  # the provider refuses the gateway's credential
    LIMITED = auto()
    FAILED = auto()
    SILENT = auto()  # took the request and let a timeout pass
    REFUSED = auto()  # by us, so that it was not sent
    GONE = auto()


_FAILURES = {
    Failure.FIRST_BYTE_TIMEOUT: _Kind.SILENT,
    Failure.FIRST_TOKEN_TIMEOUT: _Kind.SILENT,
    Failure.BETWEEN_TOKENS_TIMEOUT: _Kind.SILENT,
    Failure.TOTAL_TIMEOUT: _Kind.SILENT,
    Failure.CIRCUIT_OPEN: _Kind.REFUSED,
    Failure.UNTRANSLATABLE: _Kind.REFUSED,
    Failure.COOLDOWN: _Kind.LIMITED,
    Failure.CLIENT_CLOSED: _Kind.GONE,
}
_CODES = {
    ProviderCode.CONTEXT_LENGTH: _Kind.CONTEXT,
    ProviderCode.CONTENT_POLICY: _Kind.POLICY,
    ProviderCode.INSUFFICIENT_QUOTA: _Kind.ACCOUNT,
    ProviderCode.INVALID_API_KEY: _Kind.ACCOUNT,
    ProviderCode.MODEL_NOT_FOUND: _Kind.ANSWER,
}
_STATUSES = {
    401: _Kind.ACCOUNT,
    402: _Kind.ACCOUNT,
    403: _Kind.ACCOUNT,
    408: _Kind.FAILED,
    409: _Kind.FAILED,
    429: _Kind.LIMITED,
}
_MAY_ASK_AGAIN = (_Kind.FAILED, _Kind.LIMITED)
_OWN_REFUSALS = (Failure.CIRCUIT_OPEN, Failure.COOLDOWN, Failure.UNTRANSLATABLE)
_NEVER_SENT = (Failure.CONNECT, Failure.CONNECT_TIMEOUT, *_OWN_REFUSALS)


def decide(outcome: AttemptOutcome, context: Context, rng: random.Random) -> Decision:
    """What to do after `outcome`, the newest of the call."""
    kind = _kind(outcome)
    if kind is _Kind.GONE:
        return Stop(Cause.CLIENT_CLOSED)
    if outcome.ok:
        return Deliver()
    final = kind is _Kind.POLICY and not context.failover_on_content_policy
    if outcome.committed:
        if final:
            return Stop(Cause.UPSTREAM_REFUSED)
        if not context.resume:
            return Stop(Cause.STREAM_CUT)
    elif final or kind is _Kind.ANSWER:
        return Deliver()
    history = (*context.earlier, outcome)
    return _another(history, context, rng) or _give_up(history)


def credential_refused(outcome: AttemptOutcome) -> bool:
    """Whether the provider refused the gateway's key or account, so that the target is out."""
    return not outcome.ok and _kind(outcome) is _Kind.ACCOUNT


def _kind(outcome: AttemptOutcome) -> _Kind:
    if outcome.failure is not None:
        return _FAILURES.get(outcome.failure, _Kind.FAILED)
    if outcome.code is not None:
        return _CODES[outcome.code]
    status = outcome.status or 0
    fallback = _Kind.ANSWER if 400 <= status < 500 else _Kind.FAILED
    return _STATUSES.get(status, fallback)


def _another(
    history: Sequence[AttemptOutcome], context: Context, rng: random.Random
) -> Next | Retry | None:
    last = history[-1]
    sent = sum(outcome.failure not in _OWN_REFUSALS for outcome in history)
    if sent >= context.attempts or last.at >= context.deadline:
        return None
    if not last.replayable and last.failure not in _NEVER_SENT:
        return None
    targets = _large_enough(history, context)
    return _unasked(targets, history, context) or _again(targets, history, context, rng)


def _large_enough(history: Sequence[AttemptOutcome], context: Context) -> list[Candidate]:
    """The targets whose context window is not known to be too small for this prompt."""
    too_small = {outcome.target for outcome in history if _kind(outcome) is _Kind.CONTEXT}
    if not too_small:
        return list(context.targets)
    least = max((t.context or 0 for t in context.targets if t.name in too_small), default=0)
    return [t for t in context.targets if t.context is not None and t.context > least]


def _unasked(
    targets: Sequence[Candidate], history: Sequence[AttemptOutcome], context: Context
) -> Next | None:
    asked = {outcome.target for outcome in history}
    fresh = [t for t in targets if t.name not in asked]
    if not fresh:
        return None
    if _kind(history[-1]) is not _Kind.CONTEXT:
        return Next(fresh[0].name)
    # The estimate is rough, so it orders the larger targets and excludes none.
    prompt = context.prompt_tokens or 0
    fits = (t for t in fresh if (t.context or 0) >= prompt)
    return Next(next(fits, max(fresh, key=lambda t: t.context or 0)).name)


def _again(
    targets: Sequence[Candidate],
    history: Sequence[AttemptOutcome],
    context: Context,
    rng: random.Random,
) -> Retry | None:
    if not context.may_retry:
        return None
    now = history[-1].at
    names = [t.name for t in targets if _may_ask_again(t.name, history, context)]
    if not names:
        return None
    pauses = _pauses(history, now)
    name = min(names, key=lambda name: pauses.get(name, 0.0))
    after = pauses.get(name)
    if after is None:
        tries = sum(outcome.target == name for outcome in history)
        after = delay(tries, context.backoff_base, context.backoff_max, rng, context.backoff_growth)
    return Retry(name, after) if now + after < context.deadline else None


def _may_ask_again(name: str, history: Sequence[AttemptOutcome], context: Context) -> bool:
    outcomes = [outcome for outcome in history if outcome.target == name]
    return 0 < len(outcomes) <= context.repeats and all(
        _kind(outcome) in _MAY_ASK_AGAIN for outcome in outcomes
    )


def _pauses(history: Sequence[AttemptOutcome], now: float) -> dict[str, float]:
    """Seconds that each target still wants to be left alone, where its last word said so.

    A pause of 0 s says nothing: such a target is left alone for the backoff.
    """
    latest = {outcome.target: outcome for outcome in history}
    return {
        name: max(0.0, outcome.at + outcome.retry_after - now)
        for name, outcome in latest.items()
        if outcome.retry_after
    }


def _give_up(history: Sequence[AttemptOutcome]) -> Deliver | Stop:
    last = history[-1]
    if last.committed:
        return Stop(Cause.STREAM_CUT)
    about_request = last.failure is None and last.category is Outcome.CLIENT_ERROR
    if about_request and not credential_refused(last):
        return Deliver()
    heard = [outcome for outcome in history if _kind(outcome) is not _Kind.REFUSED]
    soonest = min(_pauses(heard or history, last.at).values(), default=None)
    if all(outcome.failure is Failure.UNTRANSLATABLE for outcome in history):
        return Deliver()
    if not heard:
        return Stop(Cause.CIRCUIT_OPEN, soonest)
    if all(_kind(outcome) is _Kind.LIMITED for outcome in heard):
        return Stop(Cause.RATE_LIMITED, soonest)
    if heard[-1].failure is Failure.UNFIT:
        return Stop(Cause.INVALID_RESPONSE)
    if heard[-1].category is Outcome.TIMEOUT:
        return Stop(Cause.UPSTREAM_TIMEOUT)
    return Stop(Cause.UPSTREAM_UNAVAILABLE)
