import pytest

from llmitm.dialects.ollama import OllamaReader

HI = b'{"response":"hi","done":false}'


@pytest.mark.parametrize("stream", [HI + b"\n", HI + b"\r\n", HI, b"\xef\xbb\xbf" + HI + b"\n"])
def test_reads_a_line_however_it_ends(stream):
    """A line may end in LF, CRLF or with the stream."""
    reader = OllamaReader()
    events = [*reader.feed(stream), *reader.end()]
    assert [(event.text, event.raw) for event in events] == [("hi", stream)]


def test_an_empty_line_means_nothing():
    """Empty lines are passed on as they are."""
    events = OllamaReader().feed(b"\n" + HI + b"\n \r\n")
    assert [event.comment for event in events] == [True, False, True]


@pytest.mark.parametrize("line", [b"{", b"[1]", b"null", b"data: {}", b'{"done":tru', b"\xff"])
def test_a_line_that_is_no_object_is_malformed(line):
    """A broken line is told, and the lines after it are read."""
    reader = OllamaReader()
    events = reader.feed(line + b"\n" + HI + b"\n")
    assert [(event.malformed, event.text) for event in events] == [(True, ""), (False, "hi")]


def test_a_stream_that_breaks_off_leaves_a_malformed_line():
    """What was cut off is malformed."""
    reader = OllamaReader()
    assert reader.feed(HI[:10]) == []
    assert [event.malformed for event in reader.end()] == [True]
