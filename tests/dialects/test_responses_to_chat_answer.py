"""A chat completion becomes a response."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings

from llmitm.dialects.response_object import ResponseObject
from llmitm.dialects.responses_to_chat_answer import response
from llmitm.dialects.sealed_thoughts import unsealed
from llmitm.errors import Cause, GatewayError
from tests.dialects.answers import COMPLETION, plain
from tests.dialects.response_events import checked
from tests.dialects.streams import Json, completions


def told(completion: Json, **request: Any) -> Json:
    return checked(response(completion, ResponseObject(request, "m")))


def saying(finish: str = "stop", **message: Any) -> Json:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}
    return {**COMPLETION, "choices": [choice]}


@settings(deadline=None)
@given(completions())
def test_every_answer_is_a_response(completion: Json) -> None:
    """Text, thoughts, calls and counts are all there, in an object that the SDK takes."""
    said = completion["choices"][0]["message"]
    answer = told(completion)
    kinds = [item["type"] for item in answer["output"]]
    assert ("reasoning" in kinds) == bool(said.get("reasoning_content"))
    calls = [item for item in answer["output"] if item["type"] == "function_call"]
    assert [(c["call_id"], c["name"], c["arguments"]) for c in calls] == [
        (c["id"], c["function"]["name"], c["function"]["arguments"])
        for c in said.get("tool_calls", [])
    ]
    usage = completion["usage"]
    assert answer["usage"]["input_tokens"] == usage["prompt_tokens"]
    assert answer["usage"]["output_tokens"] == usage["completion_tokens"]
    assert len({item["id"] for item in answer["output"]}) == len(kinds) > 0


def test_golden_answer() -> None:
    """Each item has its own prefix of ids, as OpenAI's have."""
    answer = told(COMPLETION)
    assert [item["id"].partition("_")[0] for item in answer["output"]] == ["rs", "msg", "fc", "fc"]
    assert answer["id"].startswith("resp_")
    assert (answer["object"], answer["status"], answer["model"]) == ("response", "completed", "m")
    assert answer["output"][1]["content"] == [
        {"type": "output_text", "text": "Let me look: ☔️", "annotations": [], "logprobs": []}
    ]


ENDINGS = [
    ("stop", "completed", None),
    ("length", "incomplete", "max_output_tokens"),
    ("content_filter", "incomplete", "content_filter"),
]


@pytest.mark.parametrize(("finish", "status", "reason"), ENDINGS)
def test_why_it_ended(finish: str, status: str, reason: str | None) -> None:
    """An answer that was cut short is incomplete, and so is its last item."""
    answer = told(plain(COMPLETION, "Once", finish))
    assert answer["status"] == answer["output"][-1]["status"] == status
    assert (answer["incomplete_details"] or {}).get("reason") == reason


def test_nothing_said() -> None:
    """An empty answer is an empty message, since clients look for one."""
    (item,) = told(saying(content=None))["output"]
    assert (item["type"], item["content"][0]["text"]) == ("message", "")


def test_refusal() -> None:
    """A refusal is a part of its own beside the text."""
    (item,) = told(saying(content="Well,", refusal="no."))["output"]
    assert [part["type"] for part in item["content"]] == ["output_text", "refusal"]


def test_log_probabilities() -> None:
    """They go with the text."""
    token = {"token": "a", "logprob": -0.5, "bytes": [97], "top_logprobs": []}
    completion = saying(content="a")
    completion["choices"][0]["logprobs"] = {"content": [token]}
    assert told(completion)["output"][0]["content"][0]["logprobs"] == [token]


def test_signed_thoughts_are_sealed() -> None:
    """What Claude signed is in the reasoning item, for the client to send back."""
    block = {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}
    hidden = {"type": "redacted_thinking", "data": "x"}
    item, _ = told(saying(content="a", reasoning_content="Hm.", thinking_blocks=[block, hidden]))[
        "output"
    ]
    assert unsealed(item) == [block, hidden]
    assert item["summary"] == [{"type": "summary_text", "text": "Hm."}]


def test_a_call_without_an_id_gets_one() -> None:
    """Some servers give none; the result must name the call all the same."""
    call = {"type": "function", "function": {"name": "now"}}
    first, second = told(saying(tool_calls=[call, call]))["output"]
    assert first["call_id"] != second["call_id"]
    assert first["arguments"] == "{}"


def test_no_usage() -> None:
    """A provider that counts nothing is not said to have counted zero."""
    assert told({**COMPLETION, "usage": None})["usage"] is None


@pytest.mark.parametrize("answer", [{}, {"choices": []}, {"choices": None}, {"error": {}}])
def test_no_completion(answer: Json) -> None:
    """What is no completion is the provider's fault."""
    with pytest.raises(GatewayError) as fault:
        told(answer)
    assert fault.value.cause is Cause.INVALID_RESPONSE
