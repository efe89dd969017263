import json

import pytest

from llmitm.call import Usage
from llmitm.dialects.openai import ChatReader, ask_for_usage
from llmitm.dialects.sse import frame


def chunk(*choices, **fields):
    return frame(json.dumps({"id": "c1", "choices": list(choices), **fields}).encode())


def delta(index=0, finish=None, **said):
    return {"index": index, "delta": said, "finish_reason": finish}


def only(raw):
    (event,) = ChatReader().feed(raw)
    return event


CALL = [{"index": 0, "id": "t1", "function": {"name": "get", "arguments": '{"a"'}}]

DELTAS = [
    # delta, text, content, tool, opaque, counted
    ({"role": "assistant", "content": ""}, "", False, False, False, ""),
    ({"role": "assistant", "content": None, "refusal": None}, "", False, False, False, ""),
    ({"content": "hi"}, "hi", True, False, False, "hi"),
    ({"content": [{"type": "text", "text": "hi"}]}, "hi", True, False, False, "hi"),
    ({"content": "", "reasoning_content": "hm"}, "", True, False, False, "hm"),
    ({"reasoning": "hm", "reasoning_content": "hm"}, "", True, False, False, "hm"),
    ({"refusal": "no"}, "", True, False, True, "no"),
    ({"audio": {"id": "a1", "data": "AAAA"}}, "", True, False, True, ""),
    ({"tool_calls": CALL}, "", True, True, True, 'get{"a"'),
    ({"tool_calls": []}, "", False, False, False, ""),
    ({"function_call": {"name": "get", "arguments": "{"}}, "", True, True, True, "get{"),
]


@pytest.mark.parametrize(("said", "text", "content", "tool", "opaque", "counted"), DELTAS)
def test_what_a_delta_carries(said, text, content, tool, opaque, counted):
    """Output of any kind is content; only visible text is text; tool calls can't be continued."""
    reader = ChatReader()
    (event,) = reader.feed(chunk(delta(**said)))
    assert (event.text, event.content, event.tool, event.opaque) == (text, content, tool, opaque)
    assert (reader.text, reader.tool_seen) == (counted, tool)


def test_a_text_completion_has_its_text_in_the_choice():
    """The older API has no delta."""
    event = only(chunk({"index": 0, "text": "hi", "logprobs": None, "finish_reason": None}))
    assert (event.text, event.content, event.opaque) == ("hi", True, False)


@pytest.mark.parametrize(
    "choice", [delta(index=1, content="hi"), {**delta(content="hi"), "logprobs": {"content": []}}]
)
def test_a_second_choice_or_logprobs_cannot_be_continued(choice):
    """Another model could not go on with these."""
    assert only(chunk(choice)).opaque


def test_a_finish_reason_completes_the_answer():
    """The end mark is the finish reason; [DONE] only says that nothing more comes."""
    reader = ChatReader()
    reader.feed(chunk(delta(content="hi")))
    assert not reader.complete
    (event,) = reader.feed(chunk(delta(finish="stop")))
    assert event.finish == "stop"
    assert not event.content
    assert reader.complete
    assert not reader.finished
    reader.feed(b"data: [DONE]\n\n")
    assert reader.finished


def test_every_choice_has_to_finish():
    """With n > 1 the answer is whole once all choices are."""
    reader = ChatReader()
    reader.feed(chunk(delta(0, content="a")) + chunk(delta(0, finish="stop")))
    reader.feed(chunk(delta(1, content="b")))
    assert not reader.complete
    reader.feed(chunk(delta(1, finish="length")))
    assert reader.complete


def test_a_chunk_after_the_finish_reason_does_not_reopen_it():
    """An audio's expiry, for one, comes after the finish reason."""
    reader = ChatReader()
    reader.feed(chunk(delta(finish="stop")) + chunk(delta(audio={"expires_at": 1})))
    assert reader.complete


@pytest.mark.parametrize("stream", [b"", b"data: [DONE]\n\n", chunk(delta(content="hi"))])
def test_without_a_finish_reason_the_answer_is_not_whole(stream):
    """Not even [DONE] makes it so."""
    reader = ChatReader()
    reader.feed(stream)
    reader.end()
    assert not reader.complete


def test_the_usage_chunk_is_told_from_all_others():
    """`include_usage` adds one chunk without choices, which can be dropped again."""
    counts = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
    reader = ChatReader()
    events = reader.feed(
        chunk(delta(content="hi"), usage=None)
        + chunk(prompt_filter_results=[], usage=None)
        + chunk(delta(finish="stop"), usage=counts)
        + chunk(usage=counts)
    )
    assert [event.usage_only for event in events] == [False, False, False, True]
    assert events[2].usage == events[3].usage == reader.usage == Usage(5, 2)


def test_the_latest_usage_counts():
    """Some providers report with every chunk."""
    reader = ChatReader()
    for tokens in (1, 2, 3):
        reader.feed(
            chunk(delta(content="hi"), usage={"prompt_tokens": 5, "completion_tokens": tokens})
        )
    assert reader.usage == Usage(5, 3)


ERRORS = [
    (frame(b'{"error":{"message":"overloaded","code":503}}'), "overloaded"),
    (frame(b'{"error":{"message":"overloaded"}}', "error"), "overloaded"),
    (frame(b'{"error":"overloaded"}'), "overloaded"),
    (frame(b'{"error":{"code":500}}'), "the provider failed"),
    (frame(b'{"object":"error","message":"overloaded","code":500}'), "overloaded"),
    (chunk(delta(finish="error"), error={"message": "overloaded"}), "overloaded"),
]


@pytest.mark.parametrize(("raw", "message"), ERRORS)
def test_an_error_in_the_stream(raw, message):
    """An error ends the answer, and what follows doesn't make it whole."""
    reader = ChatReader()
    (event,) = reader.feed(raw)
    assert event.error == reader.error == message
    reader.feed(chunk(delta(finish="stop")))
    assert not reader.complete


@pytest.mark.parametrize("field", [None, "", {}, []])
def test_an_empty_error_is_none(field):
    """Some providers send the field with every chunk."""
    event = only(chunk(delta(content="hi"), error=field))
    assert (event.error, event.text) == (None, "hi")


STREAMED = {"model": "m", "messages": [], "stream": True}
ASK = {"stream_options": {"include_usage": True}}


@pytest.mark.parametrize(
    ("body", "operation", "change"),
    [
        (STREAMED, "chat", ASK),
        ({"prompt": "a", "stream": True}, "completions", ASK),
        ({**STREAMED, "stream_options": None}, "chat", ASK),
        ({**STREAMED, "stream_options": {"include_usage": False}}, "chat", ASK),
        (
            {**STREAMED, "stream_options": {"include_obfuscation": False}},
            "chat",
            {"stream_options": {"include_obfuscation": False, "include_usage": True}},
        ),
        ({**STREAMED, **ASK}, "chat", None),
        ({**STREAMED, "stream_options": "all"}, "chat", None),
        ({**STREAMED, "stream": False}, "chat", None),
        ({"messages": []}, "chat", None),
        ({"input": "a", "stream": True}, "chat", None),
        ({"input": "a", "stream": True}, "responses", None),
        ({"prompt": "a cat", "stream": True}, "images", None),
    ],
)
def test_asks_for_usage_where_the_client_does_not(body, operation, change):
    """Only streamed chat and completions have to be asked, and a client's own wish stands."""
    assert ask_for_usage(body, operation) == change
