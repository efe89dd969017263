"""How an attempt fails: what failover decides from, and what is kept for the client."""

from __future__ import annotations

import time
from dataclasses import dataclass

import msgspec

from llmitm import dialects
from llmitm.call import Attempt
from llmitm.config.providers import hidden
from llmitm.engine.terms import Terms
from llmitm.engine.upstream import Answer, UpstreamError
from llmitm.errors import Cause, GatewayError, error_object
from llmitm.policy import backoff
from llmitm.policy.outcome import AttemptOutcome, Failure
from llmitm.policy.provider_error import error_status, provider_error_code

MAX_ERROR_BODY = 1 << 20


class AttemptFailed(Exception):
    """The attempt gave nothing that could be delivered; `outcome` is what failover decides from."""

    def __init__(
        self,
        outcome: AttemptOutcome,
        message: str,
        refusal: Refusal | GatewayError | None = None,
    ) -> None:
        super().__init__(message)
        self.outcome = outcome
        self.refusal = refusal  # what the client is told, in case it is about its request


@dataclass(frozen=True, slots=True)
class Refusal:
    """A provider's error reply, kept in case it is the client's to see."""

    status: int
    body: bytes


def failed(
    attempt: Attempt, failure: Failure, message: str, *, committed: bool = False
) -> AttemptFailed:
    outcome = AttemptOutcome(
        target=attempt.target.name,
        at=time.monotonic(),
        status=attempt.status,
        failure=failure,
        committed=committed,
        replayable=attempt.replayable,
    )
    return AttemptFailed(outcome, message)


def untranslatable(attempt: Attempt, fault: GatewayError) -> AttemptFailed:
    """The target's API can't say what the client asked: another target's may."""
    return AttemptFailed(failed(attempt, Failure.UNTRANSLATABLE, "").outcome, str(fault), fault)


def refused_in_stream(
    attempt: Attempt, raw: bytes, message: str, *, committed: bool = False
) -> AttemptFailed:
    """An error event in a stream: as if the reply had had its status."""
    message = hidden(message.encode(), attempt.secrets).decode()
    body = _payload(raw)
    outcome = AttemptOutcome(
        target=attempt.target.name,
        at=time.monotonic(),
        status=error_status(body),
        code=provider_error_code(body),
        committed=committed,
        replayable=attempt.replayable,
    )
    return AttemptFailed(outcome, message)


def no_answer(attempt: Attempt, body: bytes, parsed: object, terms: Terms) -> AttemptFailed:
    """A reply of status 200 that answers nothing: as if it had the status of the error in it."""
    said = parsed.get("error") if isinstance(parsed, dict) else None
    if not said:
        return failed(attempt, Failure.MALFORMED, "the answer makes no sense")
    status, body = error_status(parsed), hidden(body, attempt.secrets)
    outcome = AttemptOutcome(
        target=attempt.target.name,
        at=time.monotonic(),
        status=status,
        code=provider_error_code(parsed),
        replayable=attempt.replayable,
    )
    message = dialects.error_message("", body)[0] or f"error {status}"
    refusal = Refusal(status, _for_client(attempt, status, body, parsed, terms))
    return AttemptFailed(outcome, message, refusal)


def _for_client(attempt: Attempt, status: int, body: bytes, parsed: object, terms: Terms) -> bytes:
    """A provider's error body as the client gets it: in its dialect."""
    call = terms.call
    if terms.translation is not None:
        body = msgspec.json.encode(terms.translation.error(status, parsed or body))
    elif not isinstance(parsed, dict):
        message = dialects.error_message("", body)[0] or f"The provider answered {status}."
        error = GatewayError(Cause.UPSTREAM_REFUSED, message)
        body = msgspec.json.encode(error_object(error, call.dialect, call.request_id))
    return body


def _payload(raw: bytes) -> object:
    """The JSON of an event, whatever frames it."""
    _, data, rest = raw.partition(b"data:")
    try:
        return msgspec.json.decode(rest if data else raw)
    except (ValueError, RecursionError):
        return None


async def refused(attempt: Attempt, answer: Answer, terms: Terms) -> AttemptFailed:
    try:
        # Some providers repeat the credential that they refuse.
        body = hidden(await answer.read(MAX_ERROR_BODY), attempt.secrets)
    except UpstreamError:
        body = b""
    try:
        parsed = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        parsed = None
    outcome = AttemptOutcome(
        target=attempt.target.name,
        at=time.monotonic(),
        status=answer.status,
        code=provider_error_code(parsed),
        retry_after=backoff.retry_after(answer.headers, time.time()),
        replayable=attempt.replayable,
    )
    message = dialects.error_message("", body)[0]
    said = _for_client(attempt, answer.status, body, parsed, terms)
    refusal = Refusal(answer.status, said)
    return AttemptFailed(outcome, message or f"status {answer.status}", refusal)
