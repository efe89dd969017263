"""How another target goes on with a stream."""

from __future__ import annotations

import json
from typing import Any

import pytest
from mitmproxy.test import tflow

from llmitm import dialects
from llmitm.call import Call, Target
from llmitm.engine.resume import Resumption
from llmitm.errors import GatewayError
from llmitm.policy.outcome import AttemptOutcome

WRITES_ON = Target("b", "m", prefill=True)
STARTS_AGAIN = Target("b", "m")


def chunk(text: str | None = None, finish: str | None = None, **delta: Any) -> bytes:
    choice = {"index": 0, "delta": {**delta, "content": text}, "finish_reason": finish}
    value = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return b"data: " + json.dumps({**value, "choices": [choice]}).encode() + b"\n\n"


def begun(*texts: str) -> Resumption:
    """A stream of which the client has these texts."""
    call = Call("req_1", "openai", "chat", "/v1/chat/completions", model="m", stream=True)
    flow = tflow.tflow()
    messages = [{"role": "user", "content": "hi"}]
    flow.request.raw_content = json.dumps({"model": "m", "messages": messages}).encode()
    resumption = Resumption(call, flow)
    read(resumption, chunk("", role="assistant"), *(chunk(text) for text in texts))
    return resumption


def read(resumption: Resumption, *raws: bytes) -> bytes:
    reader = dialects.reader_for("openai", "chat")
    return resumption.through(reader.feed(b"".join(raws)), reader.complete)


def texts_of(data: bytes) -> str:
    events = dialects.reader_for("openai", "chat").feed(data)
    return "".join(event.text for event in events)


def test_bytes_pass_unchanged() -> None:
    """The first target's events go through as they are."""
    raw = chunk("one")
    assert read(begun(), raw) == raw


def test_no_terminal_mark_after_a_truncated_answer() -> None:
    """`[DONE]` without a finish reason before it is kept back: it would look whole."""
    assert read(begun("one"), b"data: [DONE]\n\n") == b""


def test_prefill() -> None:
    """A target that declares it is given what was delivered, and its text is joined as it comes."""
    resumption = begun("one", " two")
    body = resumption.body(WRITES_ON)
    assert body is not None
    assert body["messages"][-1] == {"role": "assistant", "content": "one two"}
    assert texts_of(read(resumption, chunk(" three"))) == " three"


def test_restart() -> None:
    """Any other target starts again; what repeats the delivered text is swallowed."""
    resumption = begun("one", " two")
    body = resumption.body(STARTS_AGAIN)
    assert body is not None
    assert body["messages"][-1]["role"] == "user"
    assert texts_of(read(resumption, chunk("one t"), chunk("wo three"))) == " three"


def test_divergence() -> None:
    """A restarted answer that differs can't be joined."""
    resumption = begun("one")
    resumption.body(STARTS_AGAIN)
    with pytest.raises(GatewayError, match="could not continue"):
        read(resumption, chunk("other"))


def test_refused_prefill() -> None:
    """A target that refuses the prefill is asked from the start, and not asked to prefill again."""
    resumption = begun("one")
    resumption.body(WRITES_ON)
    refusal = AttemptOutcome(target=WRITES_ON.name, at=0.0, status=400)
    assert resumption.prefill_refused(WRITES_ON, refusal)
    body = resumption.body(WRITES_ON)
    assert body is not None
    assert body["messages"][-1]["role"] == "user"
    assert not resumption.prefill_refused(WRITES_ON, refusal)


def test_tool_calls_are_not_resumed() -> None:
    """A stream with a tool call in it can't be continued as text."""
    resumption = begun("one")
    assert resumption.possible
    call = {"index": 0, "id": "t", "type": "function", "function": {"name": "f", "arguments": ""}}
    read(resumption, chunk(tool_calls=[call]))
    assert not resumption.possible
