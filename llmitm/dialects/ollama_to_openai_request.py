"""Ollama's chat, generate and embed requests as requests of the OpenAI API.

The tables name every parameter of Ollama's API, and every entry of `options`, and what becomes of
it. Options that are in no table tune a local runtime and are dropped.
"""

from __future__ import annotations

from typing import Any, Final

from llmitm.dialects.carry import Json, number, object_, refuse, string, strings
from llmitm.dialects.json_schema import is_strict
from llmitm.dialects.ollama_to_openai_messages import conversation, user_message

CARRIED: Final[dict[str, str]] = {
    "model": "model",
    "messages": "messages, with images as data URLs and ids for tool calls",
    "prompt": "a user message",
    "system": "a system message before it",
    "images": "part of that user message",
    "tools": "tools",
    "format": "response_format: json is json_object, a schema is json_schema",
    "think": "reasoning_effort: a level is itself, true is medium",
    "stream": "stream, on unless it is false",
    "options": "see OPTIONS",
    "logprobs": "logprobs",
    "top_logprobs": "top_logprobs",
    "input": "input",
    "dimensions": "dimensions",
}
DROPPED: Final[dict[str, str]] = {
    "keep_alive": "no model is loaded anywhere",
    "truncate": "OpenAI says so when an input is too long, and never cuts it",
}
REFUSED: Final[dict[str, str]] = {
    "suffix": "a chat model can't fill in the middle of a text",
    "template": "prompt templates are for models that run on Ollama",
    "raw": "an OpenAI provider always applies its own prompt template",
    "context": "token numbers mean nothing to another model; send the conversation to /api/chat",
    "width": "pictures can't be drawn through /api/generate here",
    "height": "pictures can't be drawn through /api/generate here",
    "steps": "pictures can't be drawn through /api/generate here",
}
OPTIONS: Final[dict[str, str]] = {
    "num_predict": "max_completion_tokens, unless it is negative, which means no limit",
    "temperature": "temperature, at most 2",
    "top_p": "top_p",
    "seed": "seed",
    "stop": "stop",
    "presence_penalty": "presence_penalty",
    "frequency_penalty": "frequency_penalty",
}
_RUNTIME: Final = (
    "numa",
    "num_ctx",
    "num_batch",
    "num_gpu",
    "main_gpu",
    "low_vram",
    "f16_kv",
    "logits_all",
    "vocab_only",
    "use_mmap",
    "use_mlock",
    "embedding_only",
    "num_thread",
    "num_keep",
)
_SAMPLING: Final = (
    "top_k",
    "min_p",
    "tfs_z",
    "typical_p",
    "repeat_last_n",
    "repeat_penalty",
    "mirostat",
    "mirostat_tau",
    "mirostat_eta",
    "penalize_newline",
)
DROPPED_OPTIONS: Final[dict[str, str]] = {
    **dict.fromkeys(_RUNTIME, "tunes the runtime of a local model"),
    **dict.fromkeys(_SAMPLING, "no equivalent; shapes the sampling a little"),
}


def chat_request(body: Json) -> Json:
    """/api/chat as a Chat Completions request. Raises GatewayError for what can't be carried."""
    return _request(body, conversation(body.get("messages")))


def generate_request(body: Json) -> Json:
    """/api/generate as a Chat Completions request. Raises GatewayError as `chat_request` does."""
    for param, why in REFUSED.items():
        if body.get(param):
            raise refuse(param, why)
    prompt = string(body.get("prompt") or "", "prompt")
    system = string(body.get("system") or "", "system")
    said = [{"role": "system", "content": system}] if system else []
    if prompt or body.get("images"):
        said.append(user_message(prompt, body.get("images"), ""))
    return _request(body, said)


def embeddings_request(body: Json) -> Json:
    """/api/embed, or the older /api/embeddings with its `prompt`, as an embeddings request."""
    request = {
        "model": string(body.get("model"), "model"),
        "input": body.get("input", body.get("prompt")),
        "dimensions": body.get("dimensions"),
        "encoding_format": "float",
    }
    if not strings(request["input"], "input"):
        raise refuse("input", "must not be empty")
    return {key: value for key, value in request.items() if value is not None}


def streams(body: Json) -> bool:
    """Whether the client wants a stream: Ollama streams unless told not to."""
    return body.get("stream") is not False


def _request(body: Json, messages: list[Json]) -> Json:
    if not messages:
        raise refuse("messages", "loading a model is for Ollama; another provider needs a prompt")
    stream = streams(body)
    request = {
        "model": string(body.get("model"), "model"),
        "messages": messages,
        **_options(object_(body.get("options"), "options")),
        "tools": body.get("tools") or None,
        "response_format": _response_format(body.get("format")),
        "reasoning_effort": _effort(body.get("think")),
        "logprobs": body.get("logprobs") or None,
        "top_logprobs": body.get("top_logprobs") or None,
        "stream": stream,
        "stream_options": {"include_usage": True} if stream else None,
    }
    return {key: value for key, value in request.items() if value is not None}


def _options(options: Json) -> Json:
    def given(option: str) -> float | None:
        return number(options.get(option), f"options.{option}")

    limit, temperature = given("num_predict"), given("temperature")
    carried: Json = {
        "max_completion_tokens": int(limit) if limit is not None and limit >= 0 else None,
        "temperature": min(temperature, 2.0) if temperature is not None else None,
        "stop": strings(options.get("stop"), "options.stop") or None,
    }
    for same in ("top_p", "seed", "presence_penalty", "frequency_penalty"):
        carried[same] = given(same)
    return carried


def _response_format(wanted: Any) -> Json | None:
    if wanted is None or wanted == "":
        return None
    if wanted == "json":
        return {"type": "json_object"}
    if not isinstance(wanted, dict):
        raise refuse("format", 'must be "json" or a JSON schema')
    described = {"name": "answer", "schema": wanted, "strict": is_strict(wanted)}
    return {"type": "json_schema", "json_schema": described}


def _effort(think: object) -> str | None:
    if isinstance(think, str):
        return think
    return "medium" if think is True else None
