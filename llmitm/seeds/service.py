"""The FastAPI LLM service: a prompt in, a response out, and FastAPI's errors."""

from __future__ import annotations

from llmitm.seeds.agent import answer, ask
from llmitm.seeds.endpoint import Endpoint, Fault, Json


def fault(fault: Fault) -> Json:
    """An error with FastAPI's `detail`."""
    return {"detail": fault.message, "code": fault.code, "request_id": fault.request_id}


GENERATE = Endpoint(chat=ask, answer=answer, fault=fault)
