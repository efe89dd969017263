"""OpenAI's whole answers as Ollama's."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from llmitm.call import Usage
from llmitm.dialects import usage as counts
from llmitm.dialects.anthropic_to_openai_answer import reasoning
from llmitm.dialects.carry import Json, arguments, index, invalid_answer, items, sub, text
from llmitm.dialects.tool_calls import fresh_id
from llmitm.errors import GatewayError

type Shape = Callable[[Json], Json]
"""How /api/chat or /api/generate says what a message says."""


def as_chat(said: Json) -> Json:
    """What /api/chat calls a message."""
    return {"message": {"role": "assistant", "content": "", **said}}


def as_generate(said: Json) -> Json:
    """What /api/generate says instead of a message. It knows no tools."""
    spoken: Json = {"response": said.get("content", "")}
    return {**spoken, "thinking": said["thinking"]} if "thinking" in said else spoken


def answer(completion: Json, model: str, shape: Shape, nanoseconds: Json) -> Json:
    """A chat completion as Ollama's whole answer. Raises GatewayError where it is none."""
    choices = items(completion, "choices")
    if not choices:
        raise invalid_answer("has no choices")
    message = sub(choices[0], "message")
    said: Json = {"content": text(message, "content") + text(message, "refusal")}
    if thought := reasoning(message):
        said["thinking"] = thought
    if calls := items(message, "tool_calls"):
        said["tool_calls"] = tool_calls(_call(call) for call in calls)
    spoken = {**line(model), **shape(said), **logprobs(choices[0])}
    usage = sub(completion, "usage")
    return {**spoken, **ending(text(choices[0], "finish_reason"), usage, nanoseconds)}


def line(model: str) -> Json:
    """What every line of an answer begins with."""
    now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    return {"model": model, "created_at": now}


def ending(finish_reason: str, usage: Json, nanoseconds: Json) -> Json:
    """The fields that make a line the last. Ollama leaves out a count of zero."""
    reason = "stop" if finish_reason in ("tool_calls", "function_call") else finish_reason
    known = counts.to_ollama(counts.from_openai(usage) or Usage())
    return {"done": True, "done_reason": reason or "stop", **nanoseconds, **known}


def tool_calls(calls: Iterable[tuple[str, str, str]]) -> list[Json]:
    """Tool calls from id, name and JSON text of arguments, which Ollama has as an object.

    Raises GatewayError for arguments that are no object.
    """
    try:
        return [
            {"id": call_id or fresh_id(), "function": {"name": name, "arguments": given}}
            for call_id, name, given in (
                (call_id, name, arguments(given, "arguments")) for call_id, name, given in calls
            )
        ]
    except GatewayError as fault:
        raise invalid_answer("calls a tool with arguments that are no JSON object") from fault


def logprobs(choice: Json) -> Json:
    """Log probabilities of the tokens, where they were asked for."""
    tokens = items(sub(choice, "logprobs"), "content")
    return {"logprobs": tokens} if tokens else {}


def embeddings(found: Json, model: str, nanoseconds: Json, *, single: bool) -> Json:
    """An embeddings answer as /api/embed's, or with `single` as /api/embeddings'."""
    listed = sorted(items(found, "data"), key=index)
    vectors = [item.get("embedding") for item in listed]
    if not vectors or not all(isinstance(vector, list) for vector in vectors):
        raise invalid_answer("has no embeddings")
    if single:
        return {"embedding": vectors[0]}
    known = counts.to_ollama(counts.from_openai(sub(found, "usage")) or Usage())
    return {"model": model, "embeddings": vectors, **nanoseconds, **known}


def _call(call: Json) -> tuple[str, str, str]:
    function = sub(call, "function")
    return text(call, "id"), text(function, "name"), text(function, "arguments")
