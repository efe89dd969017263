from __future__ import annotations

from llmitm.errors import Cause
from llmitm.seeds.endpoint import Fault
from llmitm.seeds.service import GENERATE
from tests.seeds.answered import ANSWERED


def test_answer() -> None:
    """The answer is its text and nothing else; the request's id is in the header."""
    assert GENERATE.answer(ANSWERED) == {"response": ANSWERED.text}


def test_fault() -> None:
    """Errors have FastAPI's detail."""
    told = GENERATE.fault(Fault(Cause.RATE_LIMITED, "rate_limited", "Slow down.", "req_1"))
    assert told == {"detail": "Slow down.", "code": "rate_limited", "request_id": "req_1"}
