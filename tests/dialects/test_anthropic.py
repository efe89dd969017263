import json

import pytest

from llmitm.call import Usage
from llmitm.dialects.anthropic import MessagesReader
from llmitm.dialects.events import Event
from llmitm.dialects.sse import frame


def event(kind, **fields):
    return frame(json.dumps({"type": kind, **fields}).encode(), kind)


def start(**block):
    return event("content_block_start", index=1, content_block=block)


def delta(**fields):
    return event("content_block_delta", index=1, delta=fields)


EVENTS = [
    # raw, text, content, tool, counted
    (start(type="text", text=""), "", False, False, ""),
    (start(type="text", text="hi"), "hi", True, False, "hi"),
    (start(type="thinking", thinking=""), "", False, False, ""),
    (start(type="tool_use", id="t1", name="get", input={}), "", True, True, "get"),
    (start(type="server_tool_use", name="web_search"), "", True, True, "web_search"),
    (start(type="web_search_tool_result", content=[]), "", True, True, ""),
    (start(type=["odd"]), "", True, True, ""),
    (delta(type="text_delta", text="hi"), "hi", True, False, "hi"),
    (delta(type="text_delta", text=""), "", False, False, ""),
    (delta(type="thinking_delta", thinking="hm"), "", True, False, "hm"),
    (delta(type="signature_delta", signature="abc"), "", True, False, ""),
    (delta(type="citations_delta", citation={}), "", True, False, ""),
    (delta(type="input_json_delta", partial_json='{"a'), "", True, True, '{"a'),
    (delta(type="input_json_delta", partial_json=""), "", False, True, ""),
    (event("content_block_stop", index=1), "", False, False, ""),
]


@pytest.mark.parametrize(("raw", "text", "content", "tool", "counted"), EVENTS)
def test_what_an_event_carries(raw, text, content, tool, counted):
    """Text, thinking and tool input are content; blocks other than text and thinking are tools."""
    reader = MessagesReader()
    (read,) = reader.feed(raw)
    assert (read.text, read.content, read.tool, read.opaque) == (text, content, tool, tool)
    assert reader.text == counted
    assert read.index == (1 if b"stop" not in raw else 0)


def test_ping_is_a_comment():
    """A ping is no sign of a token."""
    (read,) = MessagesReader().feed(event("ping"))
    assert read.comment
    assert not read.content


STARTED = {
    "input_tokens": 10,
    "cache_creation_input_tokens": 100,
    "cache_read_input_tokens": 1000,
    "cache_creation": {"ephemeral_5m_input_tokens": 70, "ephemeral_1h_input_tokens": 30},
    "output_tokens": 1,
}


def test_usage_is_cumulative():
    """Input comes with the first event; later counts replace, and do not add."""
    reader = MessagesReader()
    reader.feed(event("message_start", message={"usage": STARTED}))
    reader.feed(event("message_delta", delta={}, usage={"output_tokens": 7}))
    (read,) = reader.feed(
        event(
            "message_delta",
            delta={"stop_reason": "end_turn"},
            usage={
                "input_tokens": None,
                "output_tokens": 20,
                "output_tokens_details": {"thinking_tokens": 5},
            },
        )
    )
    assert read.usage == reader.usage
    assert reader.usage == Usage(
        prompt_tokens=1110,
        completion_tokens=20,
        cached_tokens=1000,
        cache_write_tokens=70,
        cache_write_1h_tokens=30,
        reasoning_tokens=5,
    )


@pytest.mark.parametrize(("started", "ended"), [(12, 0), (0, 12), (12, 12)])
def test_input_may_be_reported_at_either_end(started, ended):
    """Compatible providers know the input only at the end, or repeat it as zero."""
    reader = MessagesReader()
    reader.feed(event("message_start", message={"usage": {"input_tokens": started}}))
    reader.feed(event("message_delta", delta={}, usage={"input_tokens": ended, "output_tokens": 3}))
    assert reader.usage == Usage(12, 3)


def test_a_stop_reason_completes_the_message():
    """A stream that breaks off between its stop reason and its last event is whole."""
    reader = MessagesReader()
    (read,) = reader.feed(event("message_delta", delta={"stop_reason": "max_tokens"}))
    assert read.finish == "max_tokens"
    assert (reader.complete, reader.finished) == (True, False)
    (read,) = reader.feed(event("message_stop"))
    assert read.done
    assert reader.finished


def test_an_error_event():
    """An error ends the message, whatever follows."""
    reader = MessagesReader()
    (read,) = reader.feed(event("error", error={"type": "overloaded_error", "message": "busy"}))
    reader.feed(event("message_stop"))
    assert read.error == reader.error == "busy"
    assert not reader.complete


def test_an_event_of_an_unknown_type_is_passed():
    """New event types may come at any time."""
    (read,) = MessagesReader().feed(event("message_note", note="x"))
    assert read == Event(read.raw)
