import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmitm.dialects import limited, max_output, prompt_text

IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
TOOL = {"type": "function", "function": {"name": "get"}}

PROMPTS = [
    ("openai", "chat", {"messages": [{"role": "user", "content": "hi"}]}, ["hi"]),
    (
        "openai",
        "chat",
        {
            "messages": [
                {"role": "system", "content": "be brief"},
                {
                    "role": "user",
                    "name": "ava",
                    "content": [{"type": "text", "text": "see"}, IMAGE],
                },
                {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [{"id": "t1", "function": {"name": "get", "arguments": "{}"}}],
                },
                {"role": "tool", "tool_call_id": "t1", "content": "42"},
            ],
            "tools": [TOOL],
            "temperature": 1,
        },
        [
            "be brief",
            "see",
            "ava",
            "get",
            "{}",
            "42",
            '[{"type":"function","function":{"name":"get"}}]',
        ],
    ),
    ("openai", "completions", {"prompt": "once", "suffix": "end"}, ["once", "end"]),
    ("openai", "completions", {"prompt": ["a", "b"]}, ["a", "b"]),
    ("openai", "completions", {"prompt": [1, 2, 3]}, [" a a a"]),
    ("openai", "embeddings", {"input": [[1, 2], [3]]}, [" a a", " a"]),
    ("openai", "responses", {"instructions": "be brief", "input": "hi"}, ["be brief", "hi"]),
    ("openai", "compact", {"instructions": "be brief", "input": "hi"}, ["be brief", "hi"]),
    (
        "openai",
        "responses",
        {
            "input": [
                {"role": "user", "content": [{"type": "input_text", "text": "hi"}]},
                {"type": "function_call", "name": "get", "arguments": "{}", "call_id": "c"},
                {"type": "function_call_output", "call_id": "c", "output": "42"},
            ]
        },
        ["hi", "get", "{}", "42"],
    ),
    (
        "anthropic",
        "messages",
        {
            "system": [{"type": "text", "text": "be brief"}],
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "image", "source": {"type": "base64", "data": "AAAA"}},
                        {
                            "type": "document",
                            "title": "T",
                            "source": {"type": "text", "data": "doc"},
                        },
                        {"type": "text", "text": "hi"},
                    ],
                },
                {
                    "role": "assistant",
                    "content": [{"type": "tool_use", "name": "get", "input": {"a": 1}}],
                },
                {
                    "role": "user",
                    "content": [
                        {"type": "tool_result", "content": [{"type": "text", "text": "42"}]},
                    ],
                },
            ],
        },
        ["be brief", "T", "doc", "hi", "get", '{"a":1}', "42"],
    ),
    ("anthropic", "messages", {"system": "be brief", "messages": []}, ["be brief"]),
    (
        "ollama",
        "chat",
        {
            "messages": [{"role": "user", "content": "hi", "images": ["AAAA"]}],
            "format": {"type": "object"},
        },
        ["hi", '{"type":"object"}'],
    ),
    ("ollama", "generate", {"system": "s", "prompt": "hi", "context": [1, 2]}, ["s", "hi", " a a"]),
    ("ollama", "embed", {"input": ["a", "b"]}, ["a", "b"]),
    ("openai", "files", {"purpose": "x"}, []),
    ("openai", "chat", {"messages": "hi"}, ["hi"]),
    ("openai", "chat", {"messages": None}, []),
]


@pytest.mark.parametrize(("dialect", "operation", "body", "texts"), PROMPTS)
def test_the_texts_of_a_prompt(dialect, operation, body, texts):
    """Messages, system, tools and schemas count; images, ids and settings don't."""
    assert list(prompt_text(dialect, operation, body)) == texts


anything = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.sampled_from(["content", "source", "text", "type", "input"]), inner)
    ),
)


@given(anything)
def test_any_body_has_a_prompt(value):
    """A body of an unexpected shape is the provider's to refuse."""
    body = {"messages": value, "system": value, "tools": value, "input": value, "prompt": value}
    for kind in (("openai", "chat"), ("openai", "responses"), ("anthropic", "messages")):
        assert all(isinstance(text, str) for text in prompt_text(*kind, body))


def test_deep_nesting_is_bounded():
    """A prompt nested without end is read to a depth, not to the end of the stack."""
    value: object = "hi"
    for _ in range(100_000):
        value = [value]
    assert list(prompt_text("openai", "chat", {"messages": value, "tools": value})) == []


LIMITS = [
    ("openai", "chat", {"max_tokens": 10}, 10),
    ("openai", "chat", {"max_completion_tokens": 20, "max_tokens": 10}, 20),
    ("openai", "chat", {"max_tokens": 10, "n": 3}, 30),
    ("openai", "chat", {}, None),
    ("openai", "chat", {"max_tokens": None}, None),
    ("openai", "chat", {"max_tokens": "10"}, None),
    ("openai", "completions", {"prompt": ["a", "b"], "max_tokens": 10, "n": 2}, 40),
    ("openai", "completions", {"prompt": [1, 2], "max_tokens": 10, "best_of": 3}, 30),
    ("openai", "completions", {"prompt": [], "max_tokens": 10}, 10),
    ("openai", "responses", {"max_output_tokens": 10}, 10),
    ("openai", "embeddings", {"input": "a"}, 0),
    ("anthropic", "messages", {"max_tokens": 10}, 10),
    ("anthropic", "count_tokens", {}, 0),
    ("ollama", "chat", {"options": {"num_predict": 10}}, 10),
    ("ollama", "chat", {"options": {"num_predict": -1}}, None),
    ("ollama", "generate", {"options": None}, None),
    ("ollama", "generate", {}, None),
    ("ollama", "embed", {}, 0),
]


@pytest.mark.parametrize(("dialect", "operation", "body", "tokens"), LIMITS)
def test_the_most_a_request_may_write(dialect, operation, body, tokens):
    """The limit holds for each of the choices that are asked for."""
    assert max_output(dialect, operation, body) == tokens


@pytest.mark.parametrize(
    ("dialect", "operation", "body", "changes"),
    [
        ("openai", "chat", {}, {"max_completion_tokens": 7}),
        ("openai", "completions", {}, {"max_tokens": 7}),
        ("openai", "responses", {}, {"max_output_tokens": 7}),
        ("anthropic", "messages", {}, {"max_tokens": 7}),
        ("ollama", "chat", {}, {"options": {"num_predict": 7}}),
        ("ollama", "generate", {"options": {"seed": 1, "num_predict": -1}},
         {"options": {"seed": 1, "num_predict": 7}}),
        ("openai", "embeddings", {}, None),
    ],
)  # fmt: skip
def test_limiting_the_output(dialect, operation, body, changes):
    """The field that bounds an answer, beside what the request says already."""
    assert limited(dialect, operation, body, 7) == changes
    if changes is not None:
        assert max_output(dialect, operation, {**body, **changes}) == 7
