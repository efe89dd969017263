from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmitm.policy.provider_error import ProviderCode, error_status, provider_error_code


def openai(
    message: str = "", code: str | None = None, type_: str | None = "invalid_request_error"
) -> dict[str, Any]:
    return {"error": {"message": message, "type": type_, "param": None, "code": code}}


def anthropic(message: str, type_: str = "invalid_request_error", **more: Any) -> dict[str, Any]:
    return {"type": "error", "error": {"type": type_, "message": message, **more}}


TOO_LONG = ProviderCode.CONTEXT_LENGTH
FILTERED = ProviderCode.CONTENT_POLICY
QUOTA = ProviderCode.INSUFFICIENT_QUOTA
KEY = ProviderCode.INVALID_API_KEY
MODEL = ProviderCode.MODEL_NOT_FOUND

BODIES: list[tuple[object, ProviderCode | None]] = [
    # OpenAI
    (openai("x", "context_length_exceeded"), TOO_LONG),
    (
        openai(
            "This model's maximum context length is 8192 tokens. However, your messages resulted "
            "in 8545 tokens. Please reduce the length of the messages."
        ),
        TOO_LONG,
    ),
    (openai("Your input exceeds the context window of this model."), TOO_LONG),
    (openai("Invalid prompt: your prompt was flagged as potentially violating our usage policy."
            " Please try again with a different prompt", "invalid_prompt"), FILTERED),
    (openai("Your request was rejected as a result of our safety system."), FILTERED),
    (openai("x", "content_policy_violation"), FILTERED),
    (openai("You exceeded your current quota", "insufficient_quota", "insufficient_quota"), QUOTA),
    (openai("x", "credit_balance_exhausted", "insufficient_quota"), QUOTA),
    (openai("Incorrect API key provided: sk-1***", "invalid_api_key"), KEY),
    (openai("The model `gpt-x` does not exist", "model_not_found"), MODEL),
    (openai("Rate limit reached for gpt-4o in organization org-1 on tokens per min (TPM): Limit "
            "30000, Used 29000, Requested 4000.", "rate_limit_exceeded", "tokens"), None),
    (openai("The server had an error", None, "server_error"), None),
    ({"type": "error", "code": "context_length_exceeded", "message": "x", "param": None}, TOO_LONG),
    (
        {"type": "response.failed", "response": {"error": {"code": "insufficient_quota"}}},
        QUOTA,
    ),
    # Azure
    (openai("The response was filtered due to the prompt triggering Azure OpenAI's content "
            "management policy.", "content_filter", None), FILTERED),
    ({"error": {"innererror": {"code": "ResponsibleAIPolicyViolation"}}}, FILTERED),
    # Anthropic
    (anthropic("prompt is too long: 213462 tokens > 200000 maximum"), TOO_LONG),
    (anthropic("input length and `max_tokens` exceed context limit: 199211 + 20000 > 200000, "
               "decrease input length or `max_tokens` and try again"), TOO_LONG),
    (anthropic("Output blocked by content filtering policy"), FILTERED),
    (anthropic("Your credit balance is too low to access the Anthropic API."), QUOTA),
    (anthropic("You have reached your specified workspace API usage limits."), QUOTA),
    (anthropic("x", "rate_limit_error", details={"error_code": "enforced_spend_limit_reached"}),
     QUOTA),
    (anthropic("x", "billing_error"), QUOTA),
    (anthropic("invalid x-api-key", "authentication_error"), KEY),
    (anthropic("model: claude-9", "not_found_error"), MODEL),
    (anthropic("This request would exceed your account's rate limit.", "rate_limit_error"), None),
    (anthropic("Overloaded", "overloaded_error"), None),
    # Ollama
    ({"error": "the input length exceeds the context length"}, TOO_LONG),
    ({"error": "input exceeds maximum context length"}, TOO_LONG),
    ({"error": 'model "llama9" not found, try pulling it first'}, MODEL),
    ({"error": "model 'llama9' not found"}, MODEL),
    ({"error": "llama runner process has terminated"}, None),
    # llama.cpp
    (
        {
            "error": {
                "code": 400,
                "message": "request (4390 tokens) exceeds the available context size (4096 "
                "tokens), try increasing it",
                "type": "exceed_context_size_error",
                "n_prompt_tokens": 4390,
                "n_ctx": 4096,
            }
        },
        TOO_LONG,
    ),
    (
        {"error": {"code": 500, "message": "Context size has been exceeded.",
                   "type": "server_error"}},
        TOO_LONG,
    ),
    (openai("input (700 tokens) is too large to process. increase the physical batch size"),
     TOO_LONG),
    # vLLM
    ({"object": "error", "message": "The decoder prompt (length 9000) is longer than the maximum "
      "model length of 4096.", "type": "BadRequestError", "code": 400}, TOO_LONG),
    # Gemini, native and OpenAI-compatible
    (
        {
            "error": {
                "code": 400,
                "message": "The input token count (1200293) exceeds the maximum number of tokens "
                "allowed (1048576).",
                "status": "INVALID_ARGUMENT",
            }
        },
        TOO_LONG,
    ),
    (
        [
            {
                "error": {
                    "code": 400,
                    "message": "API key not valid. Please pass a valid API key.",
                    "status": "INVALID_ARGUMENT",
                    "details": [{"@type": "x", "reason": "API_KEY_INVALID"}],
                }
            }
        ],
        KEY,
    ),
    # A per-minute limit that reads like OpenAI's exhausted quota.
    (
        [{"error": {"code": 429, "message": "You exceeded your current quota, please check your "
                    "plan and billing details.", "status": "RESOURCE_EXHAUSTED"}}],
        None,
    ),
    # OpenRouter, DeepSeek, xAI
    ({"error": {"code": 403, "message": "deepseek/x requires moderation on Y. Your input was "
                "flagged for \"violence\"."}}, FILTERED),
    ({"error": {"message": "Insufficient Balance", "type": "unknown_error"}}, QUOTA),
    ({"error": "This model's maximum prompt length is 131072 but the request contains 537812 "
      "tokens.", "code": "Client specified an invalid argument"}, TOO_LONG),
    # Nothing to read
    ({}, None),
    ([], None),
    (None, None),
    ("<html>Bad Gateway</html>", None),
    ({"error": None}, None),
    ({"error": {"message": {"detail": []}}}, None),
]  # fmt: skip


@pytest.mark.parametrize(("body", "expected"), BODIES)
def test_code(body: object, expected: ProviderCode | None) -> None:
    """Recognises each provider's own words."""
    assert provider_error_code(body) is expected


@pytest.mark.parametrize(
    "quoted", ["Your credit balance is too low to access", "API key not valid", "Incorrect API key"]
)
def test_a_quoted_prompt_takes_no_target_out(quoted: str) -> None:
    """Does not take text that a client got into the message for the provider's verdict."""
    assert provider_error_code(openai(f"Invalid value: '{quoted}'")) is None


STATUSES: list[tuple[object, int]] = [
    (anthropic("Overloaded", "overloaded_error"), 529),
    (anthropic("x", "rate_limit_error"), 429),
    (anthropic("x", "invalid_request_error"), 400),
    (anthropic("Internal server error", "api_error"), 500),
    (openai("x", "rate_limit_exceeded", "requests"), 429),
    (openai("x", None, "server_error"), 500),
    (openai("x", "content_filter", None), 400),
    ({"error": {"code": 503, "message": "x", "type": "unavailable_error"}}, 503),
    ({"error": {"code": "429", "message": "x"}}, 429),
    ({"error": {"code": 200, "message": "x"}}, 500),
    ({"error": "the input length exceeds the context length"}, 400),
    ({"error": "an error was encountered while running the model"}, 500),
    ({"type": "error", "code": "invalid_prompt", "message": "x"}, 400),
    (None, 500),
]


@pytest.mark.parametrize(("body", "expected"), STATUSES)
def test_status(body: object, expected: int) -> None:
    """An error event inside a stream stands for the status its reply would have had."""
    assert error_status(body) == expected


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["error", "code", "type", "message", "details", "innererror", "response", "status"]
            ),
            inner,
            max_size=4,
        )
    ),
)


@given(JSON)
def test_never_raises(body: object) -> None:
    """Has an answer for any JSON value."""
    assert provider_error_code(body) in {*ProviderCode, None}
    assert 400 <= error_status(body) < 600
