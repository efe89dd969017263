"""Chat Completions chunks become the events of a response."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmitm.dialects.response_object import ResponseObject
from llmitm.dialects.responses_to_chat_answer import response
from llmitm.dialects.responses_to_chat_stream import ResponseStream
from tests.dialects.answers import COMPLETION
from tests.dialects.response_events import plain, response_of
from tests.dialects.streams import PLACES, Json, completions, cut, openai_chunks, payloads, run, sse

GREETING: Json = {
    **COMPLETION,
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Hello there"},
            "finish_reason": "stop",
        }
    ],
}


FIELDS = [
    "choices", "delta", "content", "tool_calls", "function", "name", "usage", "thinking_blocks",
    "reasoning", "refusal", "finish_reason",
]  # fmt: skip


def stream() -> ResponseStream:
    return ResponseStream(ResponseObject({"model": "m", "temperature": 0.5}, "m"))


def deltas(*changes: Json, finish: str = "stop") -> bytes:
    """A stream of chunks with these deltas, ended for this reason."""
    chunks: list[Any] = [
        {"id": "c", "choices": [{"index": 0, "delta": change, "finish_reason": None}]}
        for change in changes
    ]
    last = {"id": "c", "choices": [{"index": 0, "delta": {}, "finish_reason": finish}]}
    return sse([*chunks, last, "[DONE]"])


@settings(deadline=None)
@given(completions(), st.integers(1, 5), PLACES)
def test_stream_says_what_the_whole_answer_says(
    completion: Json, size: int, places: list[int]
) -> None:
    """In any chunking: every event valid and in its place, and the response as it is whole."""
    seen = response_of(run(stream(), cut(sse(openai_chunks(completion, size)), places)))
    whole = response(completion, ResponseObject({"model": "m", "temperature": 0.5}, "m"))
    assert plain(seen["done"]) == plain(whole)


@settings(deadline=None)
@given(completions(), PLACES, st.integers(0, 10_000))
def test_cut_stream_has_no_end(completion: Json, places: list[int], at: int) -> None:
    """A stream that breaks off before its finish reason ends in no response."""
    data = sse(openai_chunks(completion)[:-3])
    seen = response_of(run(stream(), cut(data[: at % (len(data) + 1)], places)))
    assert seen["done"] is None


def test_golden_stream() -> None:
    """The events of a text, in OpenAI's order, each with its name."""
    translated = stream()
    out = run(translated, [sse(openai_chunks(GREETING, 8))])
    assert translated.done
    seen = response_of(out)
    assert seen["types"] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert [line for line in out.decode().splitlines() if line.startswith("event: ")] == [
        f"event: {kind}" for kind in seen["types"]
    ]
    assert seen["done"]["usage"] == {
        "input_tokens": 17,
        "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 0},
        "output_tokens": 25,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 42,
    }


def test_thoughts_and_calls() -> None:
    """Thoughts are a summary, every call has its arguments, and the text stands between them."""
    seen = response_of(run(stream(), [sse(openai_chunks(COMPLETION, 8))]))
    assert [kind for kind in seen["types"] if kind.startswith("response.reasoning")] == [
        "response.reasoning_summary_part.added",
        "response.reasoning_summary_text.delta",
        "response.reasoning_summary_text.delta",
        "response.reasoning_summary_text.done",
        "response.reasoning_summary_part.done",
    ]
    output = seen["done"]["output"]
    assert [item["type"] for item in output] == [
        "reasoning",
        "message",
        "function_call",
        "function_call",
    ]
    assert output[0]["summary"] == [{"type": "summary_text", "text": "Two tools."}]
    assert [(i["call_id"], i["name"], i["arguments"]) for i in output[2:]] == [
        ("call_1", "weather", '{"city": "Köln"}'),
        ("call_2", "now", "{}"),
    ]


def call(index: int, **function: str) -> Json:
    return {"index": index, "function": function}


ORDERS: list[tuple[str, list[Json], list[tuple[str, str]]]] = [
    (
        "fragments in turns",
        [
            {"tool_calls": [call(0, name="a"), call(1, name="b")]},
            {"tool_calls": [call(1, arguments="{"), call(0, arguments="[")]},
            {"tool_calls": [call(0, arguments="]"), call(1, arguments="}")]},
        ],
        [("function_call", "[]"), ("function_call", "{}")],
    ),
    (
        "a name that comes late",
        [
            {"tool_calls": [call(0, arguments="{")]},
            {"tool_calls": [call(0, name="a", arguments="}")]},
        ],
        [("function_call", "{}")],
    ),
    ("no arguments", [{"tool_calls": [call(0, name="a")]}], [("function_call", "{}")]),
    (
        "text after a call",
        [{"content": "a"}, {"tool_calls": [call(0, name="a", arguments="{}")]}, {"content": "b"}],
        [("message", "a"), ("function_call", "{}"), ("message", "b")],
    ),
    (
        "thoughts between texts",
        [{"reasoning": "x"}, {"content": "a"}, {"reasoning": "y"}, {"content": "b"}],
        [("reasoning", "x"), ("message", "a"), ("reasoning", "y"), ("message", "b")],
    ),
    (
        "all at once",
        [{"reasoning_content": "x", "content": "a", "tool_calls": [call(0, name="f")]}],
        [("reasoning", "x"), ("message", "a"), ("function_call", "{}")],
    ),
    ("a refusal", [{"content": "a"}, {"refusal": "no"}, {"refusal": "!"}], [("message", "ano!")]),
    ("empty deltas", [{"role": "assistant", "content": ""}, {"content": ""}], [("message", "")]),
    ("text in parts", [{"content": [{"type": "text", "text": "a"}]}], [("message", "a")]),
]


@pytest.mark.parametrize(("what", "said", "expected"), ORDERS, ids=[case[0] for case in ORDERS])
def test_items_in_the_order_in_which_they_begin(
    what: str, said: list[Json], expected: list[tuple[str, str]]
) -> None:
    """Where something else begins a new item does; a call is found again by its index."""
    output = response_of(run(stream(), [deltas(*said)]))["done"]["output"]
    assert [(item["type"], "".join(texts(item))) for item in output] == expected


def texts(item: Json) -> list[str]:
    if item["type"] == "function_call":
        return [item["arguments"]]
    parts = item.get("content") or item.get("summary") or []
    return [part.get("text", part.get("refusal")) for part in parts]


@pytest.mark.parametrize(
    ("finish", "ending", "reason"),
    [
        ("stop", "completed", None),
        ("tool_calls", "completed", None),
        ("whatever", "completed", None),
        ("length", "incomplete", "max_output_tokens"),
        ("content_filter", "incomplete", "content_filter"),
    ],
)
def test_why_it_ended(finish: str, ending: str, reason: str | None) -> None:
    """An answer that was cut short says why, and its last item is not complete either."""
    seen = response_of(run(stream(), [deltas({"reasoning": "x"}, {"content": "a"}, finish=finish)]))
    assert seen["types"][-1] == f"response.{ending}"
    assert seen["done"]["status"] == seen["done"]["output"][-1]["status"] == ending
    assert (seen["done"]["incomplete_details"] or {}).get("reason") == reason


def test_a_limit_that_cut_off_the_thoughts() -> None:
    """A response may be over before anything was said."""
    done = response_of(run(stream(), [deltas({"reasoning": "x"}, finish="length")]))["done"]
    assert [item["type"] for item in done["output"]] == ["reasoning"]
    assert done["status"] == "incomplete"


def test_log_probabilities() -> None:
    """They come with the text that they are about, and again at the end."""
    token = {"token": "a", "logprob": -0.5, "bytes": [97], "top_logprobs": []}
    chunk = {"index": 0, "delta": {"content": "a"}, "logprobs": {"content": [token]}}
    out = run(stream(), [sse([{"id": "c", "choices": [chunk]}]), deltas({"content": "b"})])
    assert response_of(out)["done"]["output"][0]["content"][0]["logprobs"] == [token]
    assert [e["logprobs"] for e in payloads(out) if e["type"].endswith("text.delta")] == [
        [token],
        [],
    ]


def test_error_in_the_stream_is_told_and_ends_it() -> None:
    """An in-band error becomes the API's error event, numbered like the others; nothing follows."""
    chunks = openai_chunks(GREETING, 20)
    error = {"error": {"message": "Overloaded", "type": "server_error", "code": None}}
    seen = response_of(run(stream(), [sse([*chunks[:2], error, *chunks[2:]])]))
    assert (seen["error"]["message"], seen["error"]["code"]) == ("Overloaded", "internal_error")
    assert seen["done"] is None


@settings(deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(FIELDS),
                inner | st.just("stop"),
                max_size=5,
            )
        ),
        max_leaves=12,
    )
)
def test_no_chunk_is_fatal(chunk: object) -> None:
    """Whatever JSON comes, translating it does not raise, and what is made of it is valid."""
    response_of(run(stream(), [sse([chunk, chunk]), deltas({"content": "a"})]))
