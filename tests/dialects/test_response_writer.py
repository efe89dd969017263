"""A response that broke off goes on as if nothing had happened."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmitm.call import Usage
from llmitm.dialects.response_object import ResponseObject
from llmitm.dialects.response_writer import ResponseWriter
from llmitm.dialects.responses import TypedReader
from llmitm.dialects.responses_to_chat_stream import ResponseStream
from tests.dialects.answers import COMPLETION
from tests.dialects.response_events import response_of
from tests.dialects.streams import WORDS, Json, openai_chunks, run, sse

TEXT = "Once upon a time there was a gateway."


def events(message: Json, finish: str = "stop") -> list[bytes]:
    """A whole response, event by event."""
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}
    data = sse(openai_chunks({**COMPLETION, "choices": [choice]}, 4))
    whole = run(ResponseStream(ResponseObject({}, "m")), [data])
    return [raw + b"\n\n" for raw in whole.split(b"\n\n")[:-1]]


def learned(begun: list[bytes]) -> ResponseWriter:
    """A writer that saw what the client got."""
    writer = ResponseWriter()
    for event in TypedReader().feed(b"".join(begun)):
        writer.learn(event)
    return writer


def upto(kind: str, message: Json | None = None) -> list[bytes]:
    """The events to the last of this kind."""
    found = events(message or {"content": TEXT})
    last = max(i for i, raw in enumerate(found) if raw.startswith(f"event: {kind}\n".encode()))
    return found[: last + 1]


@settings(deadline=None)
@given(st.integers(1, 100), st.lists(WORDS.filter(bool), max_size=3), st.booleans())
def test_it_makes_one_valid_response(at: int, more: list[str], thinking: bool) -> None:
    """Wherever it broke off: numbered on, all parts closed, all text in the last event."""
    thoughts = {"reasoning_content": "Hm. "} if thinking else {}
    whole = events({"content": TEXT, **thoughts})[:-1]
    begun = whole[: 2 + at % (len(whole) - 1)]
    writer = learned(begun)
    if not writer.ready:
        return
    rest = b"".join(map(writer.text, more)) + writer.finish("completed", Usage(5, 4), False)
    seen = response_of(b"".join(begun) + rest)
    assert seen["done"]["status"] == "completed"
    assert seen["done"]["usage"]["total_tokens"] == 9
    given = response_of(b"".join(begun))
    said = "".join(item["said"] for item in given["items"] if item["item"]["type"] == "message")
    assert spoken(seen["done"]) == said + "".join(more)


def spoken(response: Json) -> str:
    messages = [item for item in response["output"] if item["type"] == "message"]
    return "".join(part["text"] for item in messages for part in item["content"])


STATES: list[tuple[str, Json | None, bool]] = [
    ("response.created", None, True),
    ("response.output_item.added", None, True),
    ("response.content_part.added", None, True),
    ("response.output_text.delta", None, True),
    ("response.output_text.done", None, False),
    ("response.content_part.done", None, False),
    ("response.output_item.done", None, True),
    ("response.reasoning_summary_text.delta", {"reasoning_content": "Hm."}, False),
    ("response.reasoning_summary_part.done", {"reasoning_content": "Hm."}, False),
    ("response.content_part.added", {"refusal": "No."}, False),
]


@pytest.mark.parametrize(("kind", "message", "ready"), STATES)
def test_where_text_can_follow(kind: str, message: Json | None, ready: bool) -> None:
    """Not in a thought, not in a refusal, and not after the end of a text was told."""
    assert learned(upto(kind, message)).ready is ready


def test_nothing_to_continue() -> None:
    """Without a beginning there is no response to go on with."""
    assert not ResponseWriter().ready


@pytest.mark.parametrize(
    ("reason", "status", "told"),
    [
        (None, "completed", None),
        ("completed", "completed", None),
        ("max_output_tokens", "incomplete", {"reason": "max_output_tokens"}),
        ("content_filter", "incomplete", {"reason": "content_filter"}),
        ("incomplete", "incomplete", None),
    ],
)
def test_why_it_ended(reason: str | None, status: str, told: Any) -> None:
    """The reason is that of the target which wrote the end; no usage where none is known."""
    begun = upto("response.output_text.delta")
    done = response_of(b"".join(begun) + learned(begun).finish(reason, None, False))["done"]
    assert (done["status"], done["incomplete_details"], done["usage"]) == (status, told, None)
    assert done["output"][0]["status"] == status


def test_it_stays_the_same_response() -> None:
    """Ids are those that the client knows, and items that were done before are kept."""
    begun = upto("response.output_text.delta", {"reasoning_content": "Hm.", "content": TEXT})
    seen = response_of(b"".join(begun) + learned(begun).finish(None, None, False))
    assert [item["type"] for item in seen["done"]["output"]] == ["reasoning", "message"]
    assert seen["done"]["id"] == seen["head"]["id"]


def test_nobody_has_the_whole_of_it() -> None:
    """A response that OpenAI was to keep is not kept, if it is not OpenAI's to the end."""
    begun = [raw.replace(b'"store":false', b'"store":true') for raw in events({"content": TEXT})]
    seen = response_of(b"".join(begun[:5]) + learned(begun[:5]).finish(None, None, False))
    assert (seen["head"]["store"], seen["done"]["store"]) == (True, False)


@pytest.mark.parametrize(
    ("raw", "ready"),
    [
        (b": comment\n\n", True),
        (b"data: [1]\n\n", True),
        (b'data: {"type":7}\n\n', True),
        (b'data: {"type":"response.in_progress","response":7,"sequence_number":"x"}\n\n', True),
        (b'data: {"type":"response.output_item.added","output_index":"0"}\n\n', False),
        (b'data: {"type":"response.output_item.added","output_index":1,"item":[]}\n\n', False),
        (b'data: {"type":"response.output_text.annotation.added"}\n\n', False),
    ],
)
def test_odd_events(raw: bytes, ready: bool) -> None:
    """One that makes no sense is never fatal; no text follows what could not be repeated."""
    writer = learned([*upto("response.output_text.delta"), raw])
    assert writer.ready is ready
    assert writer.text("a")


def test_numbers_go_on() -> None:
    """An error event, too, has the number after that of the last event."""
    begun = upto("response.output_text.delta")
    writer = learned(begun)
    assert writer.number == len(begun)
    writer.text("a")
    assert writer.number == len(begun) + 1
