"""How one attempt ended, and what a circuit breaker makes of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from llmitm.policy.provider_error import ProviderCode


class Outcome(StrEnum):
    """The category of an attempt's end; the value is a metric label."""

    SUCCESS = "success"
    CIRCUIT_BREAKER_OPEN = "circuit_breaker_open"
    RATE_LIMIT = "rate_limit"
    SERVER_ERROR = "server_error"
    CLIENT_ERROR = "client_error"
    TIMEOUT = "timeout"
    NETWORK_ERROR = "network_error"


class Failure(StrEnum):
    """What went wrong where there is no whole reply to judge."""

    CONNECT = "connect"  # name lookup, TCP or TLS: the request never left
    CONNECT_TIMEOUT = "connect_timeout"
    FIRST_BYTE_TIMEOUT = "first_byte_timeout"
    FIRST_TOKEN_TIMEOUT = "first_token_timeout"
    BETWEEN_TOKENS_TIMEOUT = "between_tokens_timeout"
    TOTAL_TIMEOUT = "total_timeout"
    RESET = "reset"  # the connection was lost before the reply's head
    STREAM_CUT = "stream_cut"  # … or after it, or the stream lacks its end mark
    MALFORMED = "malformed"
    EMPTY = "empty"
    UNFIT = "unfit"  # a whole answer, but not in the form that was asked for
    CIRCUIT_OPEN = "circuit_open"  # not sent: the breaker did not admit it
    COOLDOWN = "cooldown"  # not sent: the target asked for a pause that is not over
    UNTRANSLATABLE = "untranslatable"  # not sent: the target's API can't say what was asked
    CLIENT_CLOSED = "client_closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptOutcome:
    """The end of one attempt at `target`, known at `at` (monotonic seconds).

    `status` is the reply's, or, for an error inside a stream, `provider_error.error_status`.
    `retry_after` is seconds from `at`. `committed` says that the client already has part of
    this call's answer. `replayable` is False where the request cannot be sent again: part of
    its streamed body is gone, or sending it twice would do something twice.
    """

    target: str
    at: float
    status: int | None = None
    failure: Failure | None = None
    code: ProviderCode | None = None
    retry_after: float | None = None
    committed: bool = False
    replayable: bool = True

    @property
    def ok(self) -> bool:
        return self.failure is None and self.status is not None and 200 <= self.status < 300

    @property
    def category(self) -> Outcome:
        return classify(self.status, self.failure, self.code)


_FAILURES = {
    Failure.CONNECT: Outcome.NETWORK_ERROR,
    Failure.CONNECT_TIMEOUT: Outcome.TIMEOUT,
    Failure.FIRST_BYTE_TIMEOUT: Outcome.TIMEOUT,
    Failure.FIRST_TOKEN_TIMEOUT: Outcome.TIMEOUT,
    Failure.BETWEEN_TOKENS_TIMEOUT: Outcome.TIMEOUT,
    Failure.TOTAL_TIMEOUT: Outcome.TIMEOUT,
    Failure.RESET: Outcome.NETWORK_ERROR,
    Failure.STREAM_CUT: Outcome.NETWORK_ERROR,
    Failure.MALFORMED: Outcome.SERVER_ERROR,
    Failure.EMPTY: Outcome.SERVER_ERROR,
    Failure.UNFIT: Outcome.SUCCESS,  # the target is well: it is its model that won't comply
    Failure.CIRCUIT_OPEN: Outcome.CIRCUIT_BREAKER_OPEN,
    Failure.COOLDOWN: Outcome.CIRCUIT_BREAKER_OPEN,
    Failure.UNTRANSLATABLE: Outcome.CLIENT_ERROR,
    Failure.CLIENT_CLOSED: Outcome.CLIENT_ERROR,
}


def classify(
    status: int | None, failure: Failure | None = None, code: ProviderCode | None = None
) -> Outcome:
    """The breaker's category of an attempt's end.

    A recognised provider code is about the request or the account, never about the target's
    health, whatever status it came with (llama.cpp says 500 to a prompt that is too long).
    """
    if failure is not None:
        return _FAILURES[failure]
    if status is None:
        return Outcome.NETWORK_ERROR
    if 200 <= status < 300:
        return Outcome.SUCCESS
    if code is not None:
        return Outcome.CLIENT_ERROR
    if status == 429:
        return Outcome.RATE_LIMIT
    if status == 408:
        return Outcome.TIMEOUT
    return Outcome.CLIENT_ERROR if 400 <= status < 500 else Outcome.SERVER_ERROR
