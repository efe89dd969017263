import json

import pytest

from llmitm.call import Usage
from llmitm.dialects.responses import TypedReader
from llmitm.dialects.sse import frame


def event(kind, **fields):
    return frame(json.dumps({"type": kind, **fields}).encode(), kind)


EVENTS = [
    # raw, text, content, tool, opaque, counted
    (
        event("response.created", response={"status": "in_progress", "usage": None}),
        "",
        False,
        False,
        False,
        "",
    ),
    (event("response.output_item.added", item={"type": "message"}), "", False, False, False, ""),
    (
        event("response.output_text.delta", delta="hi", output_index=2),
        "hi",
        True,
        False,
        False,
        "hi",
    ),
    (event("response.output_text.delta", delta=""), "", False, False, False, ""),
    (event("response.reasoning_text.delta", delta="hm"), "", True, False, False, "hm"),
    (event("response.reasoning_summary_text.delta", delta="hm"), "", True, False, False, "hm"),
    (event("response.output_text.delta", delta="a", logprobs=[{}]), "a", True, False, True, "a"),
    (event("response.output_text.delta", delta="a", logprobs=[]), "a", True, False, False, "a"),
    (event("response.refusal.delta", delta="no"), "", True, False, True, "no"),
    (event("response.audio.delta", delta="AAAA"), "", True, False, True, ""),
    (event("response.function_call_arguments.delta", delta="{"), "", True, True, True, "{"),
    (
        event("response.output_item.added", item={"type": "function_call", "name": "get"}),
        "",
        True,
        True,
        True,
        "get",
    ),
    (
        event("response.image_generation_call.partial_image", partial_image_b64="AA"),
        "",
        True,
        False,
        True,
        "",
    ),
    (event("response.output_text.done", text="hi"), "", False, False, False, ""),
    (event("transcript.text.delta", delta="hi"), "hi", True, False, False, "hi"),
    (event("thread.message.delta", delta={"content": []}), "", True, False, True, ""),
    (event("conversation.item.created"), "", False, False, False, ""),
]


@pytest.mark.parametrize(("raw", "text", "content", "tool", "opaque", "counted"), EVENTS)
def test_what_an_event_carries(raw, text, content, tool, opaque, counted):
    """Deltas are content, and a tool call begins with its item."""
    reader = TypedReader()
    (read,) = reader.feed(raw)
    assert (read.text, read.content, read.tool, read.opaque) == (text, content, tool, opaque)
    assert (reader.text, reader.tool_seen, reader.complete) == (counted, tool, False)


COUNTS = {
    "input_tokens": 10,
    "input_tokens_details": {"cached_tokens": 4},
    "output_tokens": 6,
    "output_tokens_details": {"reasoning_tokens": 5},
    "total_tokens": 16,
}

ENDS = [
    ("response.completed", {"status": "completed"}, "completed", None, True),
    (
        "response.incomplete",
        {"incomplete_details": {"reason": "max_output_tokens"}},
        "max_output_tokens",
        None,
        True,
    ),
    ("response.incomplete", {}, "incomplete", None, True),
    ("response.failed", {"error": {"code": "server_error", "message": "no"}}, None, "no", False),
    ("response.failed", {}, None, "the response failed", False),
]


@pytest.mark.parametrize(("kind", "fields", "finish", "error", "complete"), ENDS)
def test_the_last_event_holds_the_usage(kind, fields, finish, error, complete):
    """Three events end a response; one of them says that it failed."""
    reader = TypedReader()
    (read,) = reader.feed(event(kind, response={**fields, "usage": COUNTS}))
    assert (read.finish, read.error, read.done) == (finish, error, True)
    assert (reader.complete, reader.finished) == (complete, True)
    assert read.usage == reader.usage == Usage(10, 6, cached_tokens=4, reasoning_tokens=5)


@pytest.mark.parametrize(
    "raw",
    [
        event("error", code="server_error", message="no", param=None, sequence_number=3),
        event("error", error={"message": "no"}),
        frame(b'{"error":{"message":"no"}}'),
    ],
)
def test_an_error_event(raw):
    """The API's errors are flat; proxies before it nest them."""
    reader = TypedReader()
    (read,) = reader.feed(raw)
    assert read.error == reader.error == "no"
    reader.feed(event("response.completed", response={}))
    assert not reader.complete


@pytest.mark.parametrize(
    "kind", ["image_generation.completed", "image_edit.completed", "speech.audio.done"]
)
def test_images_and_audio_end_with_their_usage(kind):
    """Their last event names no response."""
    reader = TypedReader()
    (read,) = reader.feed(event(kind, usage={"input_tokens": 3, "output_tokens": 4}))
    assert reader.complete
    assert (read.finish, read.usage) == (kind, Usage(3, 4))


def test_usage_of_an_unknown_stream():
    """An object without a type may still report usage."""
    reader = TypedReader(complete=True)
    (read,) = reader.feed(frame(b'{"usage":{"prompt_tokens":3,"completion_tokens":1}}'))
    assert read.usage == Usage(3, 1)
