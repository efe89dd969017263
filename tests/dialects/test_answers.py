import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmitm.call import Usage
from llmitm.dialects import finish_of, is_answer, is_json, output_of, text_of, usage_of

CHAT = {
    "choices": [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": "Hello",
                "reasoning_content": "hm ",
                "tool_calls": [
                    {"id": "t1", "function": {"name": "get", "arguments": '{"a":1}'}, "type": "x"}
                ],
            },
            "finish_reason": "tool_calls",
        }
    ],
    "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7},
}
RESPONSE = {
    "status": "incomplete",
    "incomplete_details": {"reason": "max_output_tokens"},
    "output": [
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm "}]},
        {"type": "message", "content": [{"type": "output_text", "text": "Hello"}]},
        {"type": "function_call", "name": "get", "arguments": "{}"},
    ],
    "usage": {"input_tokens": 5, "output_tokens": 2},
}
MESSAGE = {
    "content": [
        {"type": "thinking", "thinking": "hm ", "signature": "s"},
        {"type": "text", "text": "Hello"},
        {"type": "tool_use", "id": "t1", "name": "get", "input": {"a": 1}},
    ],
    "stop_reason": "tool_use",
    "usage": {"input_tokens": 5, "output_tokens": 2},
}
OLLAMA = {
    "message": {"role": "assistant", "content": "Hello", "thinking": "hm "},
    "done": True,
    "done_reason": "stop",
    "prompt_eval_count": 5,
    "eval_count": 2,
}

ANSWERS = [
    ("openai", "chat", CHAT, "Hello", 'hm Helloget{"a":1}', "tool_calls"),
    ("openai", "responses", RESPONSE, "Hello", "hm Helloget{}", "max_output_tokens"),
    ("anthropic", "messages", MESSAGE, "Hello", 'hm Helloget{"a":1}', "tool_use"),
    ("ollama", "chat", OLLAMA, "Hello", "hm Hello", "stop"),
    (
        "ollama",
        "generate",
        {
            "response": "Hello",
            "thinking": "hm ",
            "done_reason": "stop",
            "prompt_eval_count": 5,
            "eval_count": 2,
        },
        "Hello",
        "hm Hello",
        "stop",
    ),
    (
        "openai",
        "completions",
        {"choices": [{"text": "Hello", "finish_reason": "length"}], "usage": CHAT["usage"]},
        "Hello",
        "Hello",
        "length",
    ),
]


@pytest.mark.parametrize(("dialect", "operation", "body", "text", "output", "finish"), ANSWERS)
def test_what_an_answer_says(dialect, operation, body, text, output, finish):
    """Its reader sees the text; the model also wrote reasoning and tool calls."""
    assert text_of(dialect, operation, body) == text
    assert output_of(dialect, operation, body) == output
    assert finish_of(dialect, operation, body) == finish
    assert usage_of(dialect, operation, body) == Usage(5, 2)


@pytest.mark.parametrize(
    ("dialect", "operation", "body", "usage"),
    [
        (
            "openai",
            "embeddings",
            {"data": [], "usage": {"prompt_tokens": 8, "total_tokens": 8}},
            Usage(8),
        ),
        ("openai", "audio", {"text": "hi", "usage": {"type": "duration", "seconds": 2}}, None),
        ("openai", "images", {"usage": {"input_tokens": 3, "output_tokens": 9}}, Usage(3, 9)),
        ("ollama", "embed", {"embeddings": [[0.1]], "prompt_eval_count": 8}, Usage(8)),
        ("anthropic", "count_tokens", {"input_tokens": 8}, None),
        ("openai", "chat", {}, None),
    ],
)
def test_usage_of_other_operations(dialect, operation, body, usage):
    """Embeddings have no output; counting tokens uses none."""
    assert usage_of(dialect, operation, body) == usage


@pytest.mark.parametrize(
    ("dialect", "operation", "body", "expected"),
    [
        *((d, o, body, True) for d, o, body, *_ in ANSWERS),
        ("openai", "chat", {"choices": []}, False),
        ("openai", "chat", {"error": {"message": "no"}}, False),
        ("openai", "chat", [], False),
        ("openai", "embeddings", {"data": []}, True),
        ("anthropic", "messages", {"type": "error", "error": {}}, False),
        ("anthropic", "messages", {"content": []}, True),
        ("ollama", "generate", {"response": "", "done": True}, True),
        ("ollama", "embed", {"embedding": [0.5]}, True),
        ("ollama", "embed", {"error": "no"}, False),
        ("openai", "files", {"error": {"message": "no"}}, True),
    ],
)
def test_is_answer(dialect, operation, body, expected):
    """An answer has what its operation asks for; of other operations nothing is expected."""
    assert is_answer(dialect, operation, body) is expected
    assert is_json(dialect, operation) is (operation != "files")


def test_a_response_that_ended_by_itself():
    """A response without further details ends as its status says."""
    assert finish_of("openai", "responses", {"status": "completed"}) == "completed"


def test_a_transcription_is_text():
    """The text of an audio answer is a field of its own."""
    assert text_of("openai", "audio", {"text": "hello"}) == "hello"


names = st.sampled_from(
    ["choices", "message", "content", "output", "usage", "text", "type", "status", "response"]
)
anything = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4),
)


@given(
    st.sampled_from(
        [("openai", "chat"), ("openai", "responses"), ("anthropic", "messages"), ("ollama", "chat")]
    ),
    st.dictionaries(names, anything),
)
def test_any_answer_can_be_read(kind, body):
    """An answer of an unexpected shape says nothing, and does not fail."""
    for read in (text_of, output_of, finish_of, usage_of):
        read(*kind, body)
