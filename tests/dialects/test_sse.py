import pytest

from llmitm.dialects.openai import ChatReader
from llmitm.dialects.sse import frame, payload_of

HI = b'{"choices":[{"delta":{"content":"hi"}}]}'


@pytest.mark.parametrize(
    "stream",
    [
        b"data: %s\n\n",
        b"data:%s\n\n",
        b"data: %s\r\n\r\n",
        b"data: %s\r\r",
        b"data: %s\n\r\n",
        b"\xef\xbb\xbfdata: %s\n\n",
        b"event: chunk\ndata: %s\n\n",
        b"data: %s\nid: 7\nretry: 10\n\n",
        b": a comment\ndata: %s\n\n",
        b"\ndata: %s\n\n",
        b"data: %s\n",
        b"data: %s",
    ],
)
def test_reads_an_event_however_it_is_framed(stream):
    """LF, CRLF and CR end lines; a byte order mark, other fields and comments don't matter."""
    reader = ChatReader()
    data = stream.replace(b"%s", HI)
    events = [*reader.feed(data), *reader.end()]
    assert [(event.text, event.raw) for event in events] == [("hi", data)]


def test_a_whole_event_is_given_at_once():
    """An event is there with its blank line, and not a byte later."""
    reader = ChatReader()
    data = frame(HI)
    assert [len(reader.feed(data[i : i + 1])) for i in range(len(data))] == [0] * (
        len(data) - 1
    ) + [1]


def test_a_carriage_return_that_comes_last_may_be_half_a_line_end():
    """A CRLF that arrives in two chunks ends one line, not two."""
    reader = ChatReader()
    assert reader.feed(b"data: " + HI + b"\r") == []
    assert reader.feed(b"\n\r") == []
    assert [event.text for event in reader.feed(b"\n")] == ["hi"]


@pytest.mark.parametrize(
    ("raw", "payload"),
    [
        (b"data: a\n\n", b"a"),
        (b"data: a\ndata:b\n\n", b"a\nb"),
        (b"data:  a\r\n\r\n", b" a"),
        (b"data\n\n", b""),
        (b"data:\n\n", b""),
        (b"event: ping\n\n", None),
        (b"database: x\n\n", None),
        (b": data: x\n\n", None),
        (b"\n\n", None),
    ],
)
def test_payload_of_an_event(raw, payload):
    """The data lines of an event make its payload."""
    assert payload_of(raw) == payload


def test_data_may_span_lines():
    """JSON that was cut at line ends into several data lines is read as one."""
    lines = b'data: {"choices":\ndata: [{"delta":\ndata: {"content":"hi"}}]}\n\n'
    assert [event.text for event in ChatReader().feed(lines)] == ["hi"]


@pytest.mark.parametrize("raw", [b": keep-alive\n\n", b"\n\n", b"event: ping\n\n", b"retry: 5\n\n"])
def test_an_event_without_data_is_a_comment(raw):
    """Comments and pings are passed on and mean nothing."""
    (event,) = ChatReader().feed(raw)
    assert event.comment
    assert not event.malformed


@pytest.mark.parametrize(
    "raw", [b"data: {", b"data: [DON", b"da", b"event: x\n", b'data: {"a":1}\nx']
)
def test_a_stream_that_breaks_off_leaves_a_malformed_event(raw):
    """What was cut is told apart from what merely lacks its blank line."""
    reader = ChatReader()
    assert reader.feed(raw) == []
    (event,) = reader.end()
    assert event.raw == raw
    assert event.malformed is not (b'"a"' in raw)


def test_done_needs_no_json():
    """The terminal mark of OpenAI's streams is no JSON."""
    reader = ChatReader()
    (event,) = reader.feed(b"data: [DONE]\n\n")
    assert event.done
    assert reader.finished
    assert not reader.complete


def test_end_is_empty_after_a_whole_stream():
    """Nothing is left when the last event was whole."""
    reader = ChatReader()
    reader.feed(frame(HI))
    assert reader.end() == []
    assert reader.end() == []


@pytest.mark.parametrize(
    ("event", "framed"), [(None, b"data: {}\n\n"), ("error", b"event: error\ndata: {}\n\n")]
)
def test_frames_json(event, framed):
    """An event is written as its readers expect it."""
    assert frame(b"{}", event) == framed
