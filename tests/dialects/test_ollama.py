import json

import pytest

from llmitm.call import Usage
from llmitm.dialects.ollama import OllamaReader


def line(**fields):
    return json.dumps({"model": "m", "done": False, **fields}).encode() + b"\n"


def chat(**message):
    return line(message={"role": "assistant", **message})


CALL = [{"function": {"name": "get", "arguments": {"a": 1}}}]

LINES = [
    # raw, text, content, tool, opaque, counted
    (chat(content="hi"), "hi", True, False, False, "hi"),
    (chat(content=""), "", False, False, False, ""),
    (chat(content="", thinking="hm"), "", True, False, False, "hm"),
    (chat(content="", tool_calls=CALL), "", True, True, True, 'get{"a":1}'),
    (
        chat(content="hi").replace(b'"done"', b'"logprobs": [], "done"'),
        "hi",
        True,
        False,
        True,
        "hi",
    ),
    (line(response="hi"), "hi", True, False, False, "hi"),
    (line(response="", thinking="hm"), "", True, False, False, "hm"),
    (line(response="", image="AAAA"), "", True, False, True, ""),
    (line(status="pulling manifest"), "", False, False, False, ""),
]


@pytest.mark.parametrize(("raw", "text", "content", "tool", "opaque", "counted"), LINES)
def test_what_a_line_carries(raw, text, content, tool, opaque, counted):
    """Chat and generate name their text differently."""
    reader = OllamaReader()
    (read,) = reader.feed(raw)
    assert (read.text, read.content, read.tool, read.opaque) == (text, content, tool, opaque)
    assert (reader.text, reader.tool_seen, reader.complete) == (counted, tool, False)


@pytest.mark.parametrize(
    ("fields", "finish", "usage"),
    [
        ({"done_reason": "stop", "prompt_eval_count": 9, "eval_count": 3}, "stop", Usage(9, 3)),
        ({"done_reason": "length", "eval_count": 3}, "length", Usage(0, 3)),
        ({"done_reason": "load"}, "load", None),
        ({}, "stop", None),
    ],
)
def test_the_last_line(fields, finish, usage):
    """The last line ends the answer and holds its counts; a count of zero is left out."""
    reader = OllamaReader()
    (read,) = reader.feed(line(**{**fields, "done": True}))
    assert (read.finish, read.usage, read.done) == (finish, usage, True)
    assert (reader.complete, reader.finished, reader.usage) == (True, True, usage)


def test_an_error_line():
    """An error in mid-stream is a line of its own."""
    reader = OllamaReader()
    events = reader.feed(line(response="hi") + b'{"error":"out of memory"}\n')
    assert [event.error for event in events] == [None, "out of memory"]
    assert reader.error == "out of memory"
    assert not reader.complete
