from __future__ import annotations

from llmitm.errors import Cause
from llmitm.seeds.endpoint import Fault, plain_fault


def test_plain_fault() -> None:
    """An error says what happened, in words and in one for programs, and to which request."""
    fault = Fault(Cause.INVALID_REQUEST, "unknown_user", "Who is that?", "req_1")
    assert plain_fault(fault) == {
        "error": "Who is that?",
        "code": "unknown_user",
        "request_id": "req_1",
    }
