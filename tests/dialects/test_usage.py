import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmitm.call import Usage
from llmitm.dialects import usage

OPENAI = [
    ({"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}, Usage(5, 2)),
    ({"prompt_tokens": 8, "total_tokens": 8}, Usage(8, 0)),
    ({"total_tokens": 8}, Usage(8, 0)),
    (
        {
            "prompt_tokens": 100,
            "completion_tokens": 50,
            "total_tokens": 150,
            "prompt_tokens_details": {"cached_tokens": 40, "audio_tokens": 7},
            "completion_tokens_details": {"reasoning_tokens": 30, "audio_tokens": 9},
        },
        Usage(
            100,
            50,
            cached_tokens=40,
            reasoning_tokens=30,
            audio_prompt_tokens=7,
            audio_completion_tokens=9,
        ),
    ),
    (
        {
            "input_tokens": 100,
            "output_tokens": 50,
            "input_tokens_details": {"cached_tokens": 40, "cache_write_tokens": 20},
            "output_tokens_details": {"reasoning_tokens": 30},
            "total_tokens": 150,
        },
        Usage(100, 50, cached_tokens=40, cache_write_tokens=20, reasoning_tokens=30),
    ),
    # DeepSeek
    (
        {"prompt_tokens": 9, "completion_tokens": 1, "prompt_cache_hit_tokens": 4},
        Usage(9, 1, cached_tokens=4),
    ),
    # xAI: reasoning is in the total only, and listed
    (
        {
            "prompt_tokens": 32,
            "completion_tokens": 9,
            "total_tokens": 135,
            "completion_tokens_details": {"reasoning_tokens": 94},
        },
        Usage(32, 103, reasoning_tokens=94),
    ),
    # Gemini: reasoning is in the total only
    (
        {"prompt_tokens": 20, "completion_tokens": 198, "total_tokens": 623},
        Usage(20, 603, reasoning_tokens=405),
    ),
    # gpt-4o-transcribe
    (
        {
            "type": "tokens",
            "input_tokens": 14,
            "input_token_details": {"audio_tokens": 14},
            "output_tokens": 3,
            "total_tokens": 17,
        },
        Usage(14, 3, audio_prompt_tokens=14),
    ),
    ({"type": "duration", "seconds": 3}, None),
    ({"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}, None),
    ({"prompt_tokens": "5", "completion_tokens": None}, None),
    ({"prompt_tokens": -5, "completion_tokens": True}, None),
    ({"prompt_tokens": 3, "prompt_tokens_details": None}, Usage(3)),
    (
        {"prompt_tokens": 3, "prompt_tokens_details": {"cached_tokens": 9}},
        Usage(3, cached_tokens=3),
    ),
    ({}, None),
    (None, None),
    ([], None),
]


@pytest.mark.parametrize(("reported", "counted"), OPENAI)
def test_openai_usage(reported, counted):
    """Every form of the usage object, and what compatible providers make of it."""
    assert usage.from_openai(reported) == counted


ANTHROPIC = [
    ({"input_tokens": 5, "output_tokens": 2}, Usage(5, 2)),
    (
        {
            "input_tokens": 5,
            "cache_creation_input_tokens": 10,
            "cache_read_input_tokens": 100,
            "output_tokens": 2,
        },
        Usage(115, 2, cached_tokens=100, cache_write_tokens=10),
    ),
    (
        {
            "input_tokens": 5,
            "cache_creation_input_tokens": 10,
            "cache_creation": {"ephemeral_5m_input_tokens": 4, "ephemeral_1h_input_tokens": 6},
            "output_tokens": 2,
        },
        Usage(15, 2, cache_write_tokens=4, cache_write_1h_tokens=6),
    ),
    (
        {"input_tokens": 5, "cache_creation": {"ephemeral_1h_input_tokens": 6}},
        Usage(11, 0, cache_write_1h_tokens=6),
    ),
    ({"input_tokens": 0, "output_tokens": 0}, None),
    ({"input_tokens": None}, None),
    (None, None),
]


@pytest.mark.parametrize(("reported", "counted"), ANTHROPIC)
def test_anthropic_usage(reported, counted):
    """All input is prompt, what was read from and written to the cache included."""
    assert usage.from_anthropic(reported) == counted


@pytest.mark.parametrize(
    ("reported", "counted"),
    [
        ({"prompt_eval_count": 5, "eval_count": 2}, Usage(5, 2)),
        ({"eval_count": 2}, Usage(0, 2)),
        ({"prompt_eval_count": 5}, Usage(5, 0)),
        ({}, None),
        (None, None),
    ],
)
def test_ollama_usage(reported, counted):
    """A count that is absent is zero."""
    assert usage.from_ollama(reported) == counted


numbers = st.integers(1, 2**40)


@given(numbers, numbers, st.integers(0, 2**20))
def test_usage_survives_the_way_out_and_back(prompt, completion, cached):
    """What is written for a client reads the same."""
    cached = min(prompt, cached)
    said = Usage(prompt, completion, cached_tokens=cached)
    assert usage.from_openai(usage.to_openai(said)) == said
    assert usage.from_openai(usage.to_responses(said)) == said
    assert usage.from_anthropic(usage.to_anthropic(said)) == said
    assert usage.from_ollama(usage.to_ollama(Usage(prompt, completion))) == Usage(
        prompt, completion
    )


@pytest.mark.parametrize("huge", [10**30, float("inf"), 1e300])
def test_absurd_counts_are_capped(huge):
    """No provider's number overflows a database."""
    assert usage.count({"n": huge}, "n") == 2**53


@pytest.mark.parametrize("value", [float("nan"), "7", None, True, -1, [3]])
def test_what_is_no_count_is_zero(value):
    """A field of another type counts nothing."""
    assert usage.count({"n": value}, "n") == 0
