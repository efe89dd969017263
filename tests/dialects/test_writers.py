import json

import pytest

from llmitm.call import Usage
from llmitm.dialects.events import Event
from llmitm.dialects.writers import ChunkWriter, LineWriter, MessageWriter

CHUNK = b'data: {"id":"c1","model":"m","choices":[{"index":0}]}\n\n'
START = b'event: message_start\ndata: {"type":"message_start","message":{}}\n\n'
LINE = b'{"model":"m","done":false}\n'


@pytest.mark.parametrize(
    ("writer", "learned", "written"),
    [
        (
            ChunkWriter("chat"),
            CHUNK,
            (
                b'data: {"id":"c1","model":"m","choices":[{"index":0,"delta":{},"logprobs":null,'
                b'"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
            ),
        ),
        (
            ChunkWriter("completions"),
            CHUNK,
            (
                b'data: {"id":"c1","model":"m","choices":[{"index":0,"text":"","logprobs":null,'
                b'"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
            ),
        ),
        (
            MessageWriter(),
            START,
            (
                b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":'
                b'"end_turn","stop_sequence":null},"usage":{"input_tokens":1,"cache_creation_input_tokens":0,'
                b'"cache_read_input_tokens":2,"output_tokens":4}}\n\n'
                b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
            ),
        ),
    ],
)
def test_the_events_that_close_a_stream(writer, learned, written):
    """A stream ends in its dialect's own sequence."""
    assert not writer.ready
    writer.learn(Event(learned))
    assert writer.ready
    assert writer.finish(None, Usage(3, 4, cached_tokens=2), want_usage=False) == written


@pytest.mark.parametrize(
    ("operation", "said"),
    [
        ("chat", {"message": {"role": "assistant", "content": "hi"}}),
        ("generate", {"response": "hi"}),
    ],
)
def test_a_line_of_ollama(operation, said):
    """A line names its model and the time it was made."""
    writer = LineWriter(operation)
    assert not writer.ready
    writer.learn(Event(LINE))
    line = json.loads(writer.text("hi"))
    assert line.pop("created_at").endswith("Z")
    assert line == {"model": "m", **said, "done": False}


@pytest.mark.parametrize("writer", [ChunkWriter("chat"), MessageWriter(), LineWriter("chat")])
@pytest.mark.parametrize(
    "raw", [b": ping\n\n", b"data: [1]\n\n", b"data: {\n\n", b"\n", b"[" * 9000]
)
def test_nothing_is_learned_from_what_is_no_object(writer, raw):
    """Comments and malformed events leave a writer as it was."""
    writer.learn(Event(raw))
    assert not writer.ready
