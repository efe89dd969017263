"""What a provider's error body says, in one vocabulary for all dialects.

Codes first: they are the provider's contract. Messages only where a provider has no code for
it; each pattern names who says it. A message can quote the prompt, so patterns that would take
a target out of service match at the message's start only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any


class ProviderCode(StrEnum):
    """The refusals that decide where a call goes next."""

    CONTEXT_LENGTH = "context_length_exceeded"
    CONTENT_POLICY = "content_policy_violation"
    INSUFFICIENT_QUOTA = "insufficient_quota"
    INVALID_API_KEY = "invalid_api_key"
    MODEL_NOT_FOUND = "model_not_found"


_CODES: Mapping[str, ProviderCode] = {
    "context_length_exceeded": ProviderCode.CONTEXT_LENGTH,  # OpenAI, Groq, Azure
    "exceed_context_size_error": ProviderCode.CONTEXT_LENGTH,  # llama.cpp
    "content_filter": ProviderCode.CONTENT_POLICY,  # Azure
    "responsibleaipolicyviolation": ProviderCode.CONTENT_POLICY,  # Azure, inner error
    "content_policy_violation": ProviderCode.CONTENT_POLICY,  # OpenAI images
    "moderation_blocked": ProviderCode.CONTENT_POLICY,  # OpenAI images
    "prohibited_content": ProviderCode.CONTENT_POLICY,  # Gemini
    "insufficient_quota": ProviderCode.INSUFFICIENT_QUOTA,  # OpenAI
    "billing_hard_limit_reached": ProviderCode.INSUFFICIENT_QUOTA,
    "billing_not_active": ProviderCode.INSUFFICIENT_QUOTA,
    "credit_balance_exhausted": ProviderCode.INSUFFICIENT_QUOTA,
    "organization_usage_limit_exceeded": ProviderCode.INSUFFICIENT_QUOTA,
    "organization_spend_limit_exceeded": ProviderCode.INSUFFICIENT_QUOTA,
    "project_spend_limit_exceeded": ProviderCode.INSUFFICIENT_QUOTA,
    "billing_error": ProviderCode.INSUFFICIENT_QUOTA,  # Anthropic
    "enforced_spend_limit_reached": ProviderCode.INSUFFICIENT_QUOTA,  # Anthropic, a 429
    "invalid_api_key": ProviderCode.INVALID_API_KEY,  # OpenAI
    "authentication_error": ProviderCode.INVALID_API_KEY,  # Anthropic
    "api_key_invalid": ProviderCode.INVALID_API_KEY,  # Gemini, a 400
    "model_not_found": ProviderCode.MODEL_NOT_FOUND,  # OpenAI
}

_CONTEXT = re.compile(
    r"maximum context length"  # OpenAI, vLLM, Mistral, OpenRouter
    r"|exceeds? the context (window|length)"  # OpenAI Responses; Ollama
    r"|prompt is too long"  # Anthropic
    r"|exceeds? (the )?(model's )?(maximum )?context (limit|length|size)"  # Anthropic; Ollama
    r"|exceeds? the available context size"  # llama.cpp
    r"|context size has been exceeded"  # llama.cpp
    r"|input \(\d+ tokens\) is too large to process"  # llama.cpp embeddings
    r"|input token count.{0,40}exceeds the maximum number of tokens"  # Gemini
    r"|maximum prompt length is \d"  # xAI
    r"|longer than the maximum model length"  # vLLM
    r"|input is too long for requested model",  # Bedrock
    re.IGNORECASE,
)
_CONTENT = re.compile(
    r"content management policy"  # Azure
    r"|rejected as a result of our safety system"  # OpenAI images
    r"|flagged as potentially violating"  # OpenAI reasoning models
    r"|blocked by content filtering policy"  # Anthropic
    r"|input was flagged"  # OpenRouter, a 403
    r"|blocked due to safety|prohibited_content",  # Gemini
    re.IGNORECASE,
)
_QUOTA = re.compile(
    r"your credit balance is too low"  # Anthropic, a 400
    r"|you have reached your specified (workspace )?api usage limits"  # Anthropic, a 400
    r"|insufficient balance",  # DeepSeek
    re.IGNORECASE,
)
_KEY = re.compile(r"api key not valid|incorrect api key", re.IGNORECASE)  # Gemini; xAI: 400s
_MODEL = re.compile(
    r"model ['\"][^'\"]{1,200}['\"] not found"  # Ollama
    r"|model: \S+$"  # Anthropic
    r"|models/\S+ is not found",  # Gemini
    re.IGNORECASE,
)

_STATUSES: Mapping[str, int] = {
    "invalid_request_error": 400,
    "invalid_prompt": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "insufficient_quota": 429,
    "timeout_error": 504,
    "overloaded_error": 529,
}
_ABOUT: Mapping[ProviderCode, int] = {
    ProviderCode.CONTEXT_LENGTH: 400,
    ProviderCode.CONTENT_POLICY: 400,
    ProviderCode.INSUFFICIENT_QUOTA: 402,
    ProviderCode.INVALID_API_KEY: 401,
    ProviderCode.MODEL_NOT_FOUND: 404,
}


def provider_error_code(body: object) -> ProviderCode | None:
    """What the parsed JSON error body of any dialect is about; None for anything else."""
    error = _error(body)
    for code in _codes(error):
        if code in _CODES:
            return _CODES[code]
    return _by_message(_message(error))


def error_status(body: object) -> int:
    """The HTTP status that an error event inside a stream stands for; 500 where it is unclear.

    Sources: the error tables of the OpenAI and Anthropic APIs; llama.cpp, Gemini and OpenRouter
    put the status into the error object's `code`.
    """
    error = _error(body)
    number = str(error.get("code")) if isinstance(error, Mapping) else ""
    if re.fullmatch("[45][0-9][0-9]", number):
        return int(number)
    for code in _codes(error):
        if code in _STATUSES:
            return _STATUSES[code]
    about = provider_error_code(body)
    return 500 if about is None else _ABOUT[about]


def _by_message(message: str) -> ProviderCode | None:
    if _QUOTA.match(message):
        return ProviderCode.INSUFFICIENT_QUOTA
    if _KEY.match(message):
        return ProviderCode.INVALID_API_KEY
    if _CONTEXT.search(message):
        return ProviderCode.CONTEXT_LENGTH
    if _CONTENT.search(message):
        return ProviderCode.CONTENT_POLICY
    return ProviderCode.MODEL_NOT_FOUND if _MODEL.match(message) else None


def _error(body: object) -> object:
    """The error object, or text, inside an error body."""
    if isinstance(body, list):  # Gemini's OpenAI-compatible endpoint
        body = body[0] if body else None
    if not isinstance(body, Mapping):
        return body
    response = body.get("response")  # OpenAI's response.failed event
    if isinstance(response, Mapping) and response.get("error"):
        return response["error"]
    return body.get("error") or body  # flat: OpenAI's `error` event, older vLLM


def _codes(error: object) -> Iterator[str]:
    """Every code-like field of the error, outermost first, in lower case."""
    if not isinstance(error, Mapping):
        return
    details = error.get("details")
    inner: list[Any] = [error, error.get("innererror")]
    inner += details if isinstance(details, list) else [details]
    for part in inner:
        if isinstance(part, Mapping):
            for field in ("code", "type", "error_code", "reason", "status"):
                value = part.get(field)
                if isinstance(value, str):
                    yield value.lower()


def _message(error: object) -> str:
    """The error's text, cut to a length that patterns may search at leisure."""
    if isinstance(error, Mapping):
        error = error.get("message") or error.get("detail")
    return error[:2000].lstrip() if isinstance(error, str) else ""
