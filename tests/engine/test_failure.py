"""How attempts fail."""

from __future__ import annotations

import pytest

from llmitm.call import Attempt, Target
from llmitm.engine.failure import failed, refused_in_stream, untranslatable
from llmitm.errors import Cause, GatewayError
from llmitm.policy.outcome import Failure, Outcome
from llmitm.policy.provider_error import ProviderCode

TARGET = Target("openai", "gpt-4o")


def attempt() -> Attempt:
    return Attempt(TARGET, 1, "gpt-4o", status=200)


def test_outcome_of_a_failure() -> None:
    """The outcome names the target, what went wrong and how far the client's answer had come."""
    fault = failed(attempt(), Failure.STREAM_CUT, "it was cut", committed=True)
    assert str(fault) == "it was cut"
    assert fault.outcome.target == "openai/gpt-4o"
    assert fault.outcome.failure is Failure.STREAM_CUT
    assert fault.outcome.committed
    assert fault.refusal is None


def test_what_a_target_cannot_be_asked() -> None:
    """It is the client's to see, where no other target can be asked it either."""
    refusal = GatewayError(Cause.INVALID_REQUEST, "n: ask n times", param="n")
    fault = untranslatable(attempt(), refusal)
    assert fault.refusal is refusal
    assert fault.outcome.failure is Failure.UNTRANSLATABLE
    assert fault.outcome.category is Outcome.CLIENT_ERROR
    assert str(fault) == "n: ask n times"


@pytest.mark.parametrize(
    ("raw", "status", "code", "category"),
    [
        (b'data: {"error":{"message":"Busy","type":"server_error"}}\n\n',
         500, None, Outcome.SERVER_ERROR),
        (b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error"}}\n\n',
         529, None, Outcome.SERVER_ERROR),
        (b'{"error":"prompt is too long"}\n', 400, ProviderCode.CONTEXT_LENGTH,
         Outcome.CLIENT_ERROR),
        (b"data: not json\n\n", 500, None, Outcome.SERVER_ERROR),
    ],
)  # fmt: skip
def test_error_event(raw: bytes, status: int, code: ProviderCode | None, category: Outcome) -> None:
    """An error event counts as if the reply had had the status that it stands for."""
    outcome = refused_in_stream(attempt(), raw, "busy").outcome
    assert (outcome.status, outcome.code, outcome.category) == (status, code, category)
