import json

import pytest

from llmitm.call import Usage
from llmitm.dialects import reader_for
from llmitm.dialects.resume import Continuation, prefill_request
from llmitm.dialects.sse import frame
from llmitm.errors import Cause, GatewayError

ERROR = GatewayError(Cause.STREAM_CUT, "the provider broke off")


def event(value, name=None):
    return frame(json.dumps(value).encode(), name)


def chunk(said, finish=None, **fields):
    choice = {"index": 0, **said, "finish_reason": finish}
    return event(
        {
            "id": "c1",
            "object": "chat.completion.chunk",
            "created": 7,
            "model": "m",
            "choices": [choice],
            **fields,
        }
    )


def part(kind, **fields):
    return event({"type": kind, **fields}, kind)


def block(kind):
    return part("content_block_start", index=0, content_block={"type": kind})


def text(delta):
    return part("content_block_delta", index=0, delta={"type": "text_delta", "text": delta})


CREATED = part("response.created", sequence_number=0, response={"id": "r1", "output": []})
OPENED = part("response.output_item.added", output_index=0, item={"type": "message", "id": "i1"})


def said_text(delta):
    return part("response.output_text.delta", delta=delta, sequence_number=3)


START = part("message_start", message={"id": "m1", "usage": {"input_tokens": 3}})
STOP = part("content_block_stop", index=0)
THINKING = part("content_block_delta", index=0, delta={"type": "thinking_delta", "thinking": "hm"})
ROLE = chunk({"delta": {"role": "assistant", "content": ""}})
HEL = chunk({"delta": {"content": "Hel"}})

BEGUN = {
    ("openai", "chat"): ROLE + HEL,
    ("openai", "completions"): chunk({"text": "Hel"}),
    ("openai", "responses"): CREATED + OPENED + said_text("Hel"),
    ("anthropic", "messages"): START + block("text") + text("Hel"),
    (
        "ollama",
        "chat",
    ): b'{"model":"m","message":{"role":"assistant","content":"Hel"},"done":false}\n',
    ("ollama", "generate"): b'{"model":"m","response":"Hel","done":false}\n',
}


def begun(dialect, operation, data):
    """A continuation of a stream of which the client got `data`."""
    continuation, reader = Continuation(dialect, operation), reader_for(dialect, operation)
    for seen in [*reader.feed(data), *reader.end()]:
        continuation.observe(seen)
    return continuation


@pytest.mark.parametrize(("dialect", "operation"), BEGUN)
def test_the_rest_reads_like_one_stream(dialect, operation):
    """What was written after the break makes, with what came before, one whole stream."""
    data = BEGUN[dialect, operation]
    continuation = begun(dialect, operation, data)
    assert continuation.resumable
    data += continuation.text("lo, ") + continuation.text('"w"\n')
    data += continuation.finish(None, Usage(5, 4), want_usage=True)
    reader = reader_for(dialect, operation)
    events = reader.feed(data)
    assert "".join(seen.text for seen in events) == 'Hello, "w"\n'
    assert reader.complete
    assert reader.finished
    assert (reader.usage.prompt_tokens, reader.usage.completion_tokens) == (5, 4)
    assert not any(seen.malformed or seen.error for seen in events)


@pytest.mark.parametrize(("dialect", "operation"), BEGUN)
def test_an_unterminated_event_is_ended_first(dialect, operation):
    """A stream may break off just before the line end of its last event."""
    data = BEGUN[dialect, operation].rstrip(b"\n")
    continuation = begun(dialect, operation, data)
    reader = reader_for(dialect, operation)
    events = reader.feed(data + continuation.text("lo") + continuation.error(ERROR, "r1"))
    assert "".join(seen.text for seen in events) == "Hello"
    assert reader.error == "the provider broke off"


def test_every_chunk_repeats_the_first():
    """One id, model and time; a null usage where the provider sends one; no second role."""
    head = {"id": "c9", "object": "chat.completion.chunk", "created": 1, "model": "m-2025"}
    extra = {"system_fingerprint": "fp", "obfuscation": "xyz", "usage": None}
    continuation = begun("openai", "chat", chunk({"delta": {"role": "assistant"}}, **head, **extra))
    raw = continuation.text("lo")
    assert json.loads(raw.removeprefix(b"data: ")) == {
        **head,
        "system_fingerprint": "fp",
        "choices": [
            {"index": 0, "delta": {"content": "lo"}, "logprobs": None, "finish_reason": None}
        ],
        "usage": None,
    }


def test_a_chunk_without_choices_tells_nothing():
    """Azure's first chunk has no id of its own."""
    filters = event({"id": "", "model": "", "choices": [], "prompt_filter_results": []})
    assert b'"id":"c1"' in begun("openai", "chat", filters + HEL).text("lo")


@pytest.mark.parametrize(("want", "chunks"), [(True, 1), (False, 0)])
def test_usage_only_for_a_client_that_asked(want, chunks):
    """The extra usage chunk is only for those who know it."""
    closing = begun("openai", "chat", HEL).finish("length", Usage(5, 4), want_usage=want)
    events = reader_for("openai", "chat").feed(closing)
    assert sum(seen.usage_only for seen in events) == chunks
    assert events[0].finish == "length"
    assert events[-1].done


@pytest.mark.parametrize(
    ("before", "opened"),
    [
        (START + block("text") + text("Hel"), None),
        (START, 0),
        (START + block("thinking") + THINKING + STOP, 1),
        (START + block("text") + text("Hel") + STOP, 1),
    ],
)
def test_text_goes_to_the_open_block_or_a_new_one(before, opened):
    """A message is continued in the block that is open; a finished one is followed by the next."""
    continuation = begun("anthropic", "messages", before)
    assert continuation.resumable
    written = continuation.text("lo") + continuation.text("!") + continuation.finish(None, None)
    events = [json.loads(raw.split(b"data: ")[1]) for raw in written.split(b"\n\n")[:-1]]
    kinds = ["content_block_delta", "content_block_delta", "content_block_stop"]
    opening = [] if opened is None else ["content_block_start"]
    assert [e["type"] for e in events] == [*opening, *kinds, "message_delta", "message_stop"]
    assert {e["index"] for e in events if "index" in e} == {opened or 0}


def test_a_message_may_end_without_an_open_block():
    """Nothing is closed twice."""
    closing = begun("anthropic", "messages", START + block("text") + STOP).finish(
        "max_tokens", None
    )
    assert b"content_block_stop" not in closing
    assert b'"stop_reason":"max_tokens"' in closing


CALL = {"tool_calls": [{"index": 0, "function": {"name": "get", "arguments": ""}}]}

NOT_RESUMABLE = [
    ("openai", "chat", b""),
    ("openai", "chat", event({"choices": []})),
    ("openai", "chat", HEL + chunk({"delta": CALL})),
    ("openai", "chat", chunk({"delta": {"content": "a"}, "logprobs": {"content": []}})),
    ("openai", "chat", chunk({"delta": {"content": "a"}, "index": 1})),
    ("openai", "chat", chunk({"delta": {"refusal": "no"}})),
    ("openai", "chat", chunk({"delta": {"audio": {"data": "AA"}}})),
    ("openai", "chat", HEL + chunk({"delta": {}}, finish="stop")),
    ("openai", "responses", part("response.output_text.delta", delta="hi")),
    ("openai", "images", event({"type": "image_generation.partial_image"})),
    ("anthropic", "messages", block("text")),
    ("anthropic", "messages", START + block("thinking") + THINKING),
    ("anthropic", "messages", START + block("tool_use") + STOP),
    ("ollama", "generate", b""),
    ("ollama", "embed", b'{"model":"m"}\n'),
    ("ollama", "chat", b'{"model":"m","message":{"tool_calls":[{"function":{"name":"get"}}]}}\n'),
]


@pytest.mark.parametrize(("dialect", "operation", "data"), NOT_RESUMABLE)
def test_what_cannot_be_continued(dialect, operation, data):
    """Nothing begun, tool calls, a second choice, logprobs, audio, half a thought, the end."""
    assert not begun(dialect, operation, data).resumable


def test_an_operation_without_a_writer():
    """Where no text can follow, the error still can."""
    continuation = Continuation("openai", "images")
    with pytest.raises(LookupError, match="openai images"):
        continuation.text("lo")
    assert b'"code":"stream_cut"' in continuation.error(ERROR)


def test_ollamas_last_line_measures_time():
    """Durations are nanoseconds, and a count of zero is left out."""
    continuation = begun("ollama", "chat", BEGUN["ollama", "chat"])
    line = json.loads(continuation.finish("length", Usage(0, 4)))
    assert line["total_duration"] >= line["eval_duration"] >= 0
    assert (line["done_reason"], line["eval_count"]) == ("length", 4)
    assert "prompt_eval_count" not in line


USER = {"role": "user", "content": "Hi"}


def said(content):
    return {"role": "assistant", "content": content}


PREFILLS = [
    ("openai", "chat", {"messages": [USER]}, {"messages": [USER, said("Hel lo")]}),
    ("ollama", "chat", {"messages": []}, {"messages": [said("Hel lo")]}),
    (
        "anthropic",
        "messages",
        {"messages": [USER, said("A: ")]},
        {"messages": [USER, said("A: Hel lo")]},
    ),
    (
        "anthropic",
        "messages",
        {"messages": [said([{"type": "text", "text": "A"}])]},
        {"messages": [said([{"type": "text", "text": "A"}, {"type": "text", "text": "Hel lo"}])]},
    ),
    ("openai", "completions", {"prompt": "Q:"}, {"prompt": "Q:Hel lo"}),
    ("openai", "completions", {"prompt": ["Q:"]}, None),
    ("openai", "completions", {"prompt": "Q:", "echo": True}, None),
    ("openai", "completions", {"prompt": "Q:", "suffix": "."}, None),
    ("ollama", "generate", {"prompt": "Q:", "raw": True}, {"prompt": "Q:Hel lo", "raw": True}),
    ("ollama", "generate", {"prompt": "Q:"}, None),
    ("openai", "responses", {"input": "Hi"}, {"input": [USER, said("Hel lo")]}),
    ("openai", "responses", {"input": [USER]}, {"input": [USER, said("Hel lo")]}),
    (
        "openai",
        "responses",
        {"input": [USER], "max_output_tokens": 50},
        {"input": [USER, said("Hel lo")], "max_output_tokens": 40},
    ),
    (
        "openai",
        "chat",
        {"messages": [], "max_tokens": 50},
        {"messages": [said("Hel lo")], "max_tokens": 40},
    ),
    (
        "openai",
        "chat",
        {"messages": [], "max_tokens": 5},
        {"messages": [said("Hel lo")], "max_tokens": 1},
    ),
    (
        "ollama",
        "chat",
        {"messages": [], "options": {"num_predict": 50, "seed": 1}},
        {"messages": [said("Hel lo")], "options": {"num_predict": 40, "seed": 1}},
    ),
    (
        "ollama",
        "chat",
        {"messages": [], "options": {"num_predict": -1}},
        {"messages": [said("Hel lo")], "options": {"num_predict": -1}},
    ),
]


@pytest.mark.parametrize(("dialect", "operation", "body", "request_"), PREFILLS)
def test_a_request_that_goes_on_from_a_text(dialect, operation, body, request_):
    """The text so far is given last, without the space at its end, and counts against the limit."""
    before = json.dumps(body)
    assert prefill_request(dialect, operation, body, "Hel lo \n", 10) == request_
    assert json.dumps(body) == before


def test_nothing_but_space_is_no_prefill():
    """An empty assistant message would be refused."""
    assert prefill_request("openai", "chat", {"messages": [USER]}, " \n") == {"messages": [USER]}
