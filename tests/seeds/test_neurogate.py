from __future__ import annotations

from llmitm.seeds.neurogate import PROMPT
from tests.seeds.answered import ANSWERED


def test_request() -> None:
    """A query becomes a chat; model, max_tokens and temperature may be given."""
    said = {"messages": [{"role": "user", "content": "hi"}]}
    assert PROMPT.chat({"query": "hi"}) == said
    more = {"model": "llama3.2", "max_tokens": 500, "temperature": 0.7}
    assert PROMPT.chat({"query": "hi", **more}) == {**said, **more}


def test_answer() -> None:
    """The answer is the document's, field by field."""
    assert PROMPT.answer(ANSWERED) == {
        "request_id": "req_1",
        "response": ANSWERED.text,
        "model": "llama3.2",
        "tokens": 42,
        "latency_ms": 523,
        "worker_id": "worker-0",
    }
