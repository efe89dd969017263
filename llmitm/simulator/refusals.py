"""The errors a provider answers with, in the published shape of each dialect.

Sources: the error tables of the OpenAI and Anthropic API references, Azure OpenAI's content
filter page, and Ollama's `{"error": text}`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

_encode = msgspec.json.Encoder().encode

_INVALID = "invalid_request_error"


@dataclass(frozen=True, slots=True)
class Refusal:
    """One refusal in the words of the dialects. The texts default to `message`."""

    status: int
    message: str
    openai_type: str = _INVALID
    openai_code: str | None = None
    param: str | None = None
    anthropic_type: str = _INVALID
    anthropic_message: str | None = None
    ollama_message: str | None = None

    def object(self, dialect: str, request_id: str) -> dict[str, Any]:
        """The JSON object that says so, the same for a body and an in-band event."""
        if dialect == "anthropic":
            inner = {
                "type": self.anthropic_type,
                "message": self.anthropic_message or self.message,
            }
            return {"type": "error", "error": inner, "request_id": request_id}
        if dialect == "ollama":
            return {"error": self.ollama_message or self.message}
        return {
            "error": {
                "message": self.message,
                "type": self.openai_type,
                "param": self.param,
                "code": self.openai_code,
            }
        }

    def body(self, dialect: str, request_id: str) -> bytes:
        return _encode(self.object(dialect, request_id))


class Refused(Exception):
    """A request that the simulator turns down."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


def invalid(message: str, param: str | None = None) -> Refusal:
    """A 400 that says what is wrong with a request."""
    return Refusal(400, message, param=param)


BROKEN_JSON = invalid(
    "We could not parse the JSON body of your request. The body must be one JSON object."
)
WRONG_KEY = Refusal(
    401,
    "Incorrect API key provided.",
    openai_code="invalid_api_key",
    anthropic_type="authentication_error",
    anthropic_message="invalid x-api-key",
    ollama_message="unauthorized",
)
NO_PREFILL = invalid(
    "This model does not support assistant message prefill. "
    "The conversation must end with a user message.",
    "messages",
)
OVERLOADED = Refusal(
    503,
    "The server is overloaded. Please try again later.",
    "server_error",
    "server_is_overloaded",
    anthropic_type="overloaded_error",
    anthropic_message="Overloaded",
    ollama_message="server busy, please try again. maximum pending requests exceeded",
)

REFUSALS: dict[str, Refusal] = {
    "400": invalid("The request is invalid."),
    "401": WRONG_KEY,
    "402": Refusal(
        402,
        "Your credit balance is too low.",
        "insufficient_quota",
        "insufficient_quota",
        anthropic_type="billing_error",
    ),
    "403": Refusal(
        403,
        "You do not have access to this model.",
        openai_code="permission_denied",
        anthropic_type="permission_error",
    ),
    "404": Refusal(
        404,
        "The model does not exist or you do not have access to it.",
        openai_code="model_not_found",
        param="model",
        anthropic_type="not_found_error",
        ollama_message="model not found, try pulling it first",
    ),
    "413": Refusal(413, "Request exceeds the maximum size.", anthropic_type="request_too_large"),
    "422": Refusal(422, "The request was well-formed but could not be processed."),
    "429": Refusal(
        429,
        "Rate limit reached. Please try again later.",
        "rate_limit_error",
        "rate_limit_exceeded",
        anthropic_type="rate_limit_error",
        anthropic_message="This request would exceed your organization's rate limit.",
    ),
    "quota": Refusal(
        429,
        "You exceeded your current quota, please check your plan and billing details.",
        "insufficient_quota",
        "insufficient_quota",
        anthropic_type="rate_limit_error",
    ),
    "500": Refusal(
        500,
        "The server had an error while processing your request.",
        "server_error",
        "server_error",
        anthropic_type="api_error",
        anthropic_message="Internal server error",
        ollama_message="llama runner process has terminated",
    ),
    "503": OVERLOADED,
    "504": Refusal(
        504, "The request timed out.", "server_error", "timeout", anthropic_type="timeout_error"
    ),
    "529": Refusal(
        529,
        "The server is overloaded. Please try again later.",
        "server_error",
        "server_is_overloaded",
        anthropic_type="overloaded_error",
        anthropic_message="Overloaded",
    ),
    "context-length": Refusal(
        400,
        "This model's maximum context length is 8192 tokens. However, your messages resulted "
        "in 9216 tokens. Please reduce the length of the messages.",
        openai_code="context_length_exceeded",
        param="messages",
        anthropic_message="prompt is too long: 209216 tokens > 200000 maximum",
        ollama_message="the input length exceeds the context length",
    ),
    "content-filter": Refusal(
        400,
        "Your request was rejected by our safety system.",
        openai_code="content_policy_violation",
        anthropic_message="Output blocked by content filtering policy",
    ),
    "content-filter-azure": Refusal(
        400,
        "The response was filtered due to the prompt triggering the content management "
        "policy. Please modify your prompt and retry.",
        openai_code="content_filter",
        param="prompt",
        anthropic_message="Output blocked by content filtering policy",
    ),
}
