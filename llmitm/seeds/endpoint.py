"""What an endpoint is: how its request becomes a chat, and the answer what it promises."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from llmitm.call import Usage
from llmitm.errors import Cause

type Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answered:
    """What an endpoint may tell of an answer. `ms` is since the call was accepted."""

    text: str
    model: str
    provider: str
    usage: Usage
    cost_usd: Decimal | None
    request_id: str
    ms: int


@dataclass(frozen=True, slots=True)
class Fault:
    """What an endpoint may tell of a call that failed. `code` may say more than the cause.

    `unreachable` says that the last target could not be spoken to at all.
    """

    cause: Cause
    code: str
    message: str
    request_id: str
    unreachable: bool = False


def plain_fault(fault: Fault) -> Json:
    """An error as services without an error format of their own have it."""
    return {"error": fault.message, "code": fault.code, "request_id": fault.request_id}


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One path that a model answers.

    `chat` makes a Chat Completions request of the client's body, without `model` unless the
    client names one, and raises GatewayError for a body that makes no sense. `check` says what
    is wrong with the text of an answer, so that the model is asked again. `usual_model` is
    what the seed's own documentation pulls. `registered` wants a registered user and takes the
    name of a provider.
    """

    chat: Callable[[Json], Json]
    answer: Callable[[Answered], Json]
    fault: Callable[[Fault], Json] = plain_fault
    check: Callable[[str], str | None] | None = None
    usual_model: str | None = None
    streams: bool = False
    registered: bool = False
