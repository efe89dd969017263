"""Continuing a stream that broke off, so that the client sees one whole answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmitm.call import Usage
from llmitm.dialects.events import Event
from llmitm.dialects.faults import error_event
from llmitm.dialects.response_writer import ResponseWriter
from llmitm.dialects.splice import Seam, Splice
from llmitm.dialects.writers import ChunkWriter, LineWriter, MessageWriter, Writer
from llmitm.errors import GatewayError

__all__ = ["Continuation", "Seam", "Splice", "prefill_request"]

_LIMITS = ("max_completion_tokens", "max_tokens", "max_output_tokens", "num_predict")


class Continuation:
    """The rest of one client's stream, in the words of its beginning.

    Give every event that the client got to `observe`. While `resumable`, text from elsewhere can
    follow. An operation that can't be continued is never resumable; only `error` is of use then.
    """

    def __init__(self, dialect: str, operation: str) -> None:
        self._dialect = dialect
        self._operation = operation
        self._writer = _writer(dialect, operation)
        self._whole = True
        # Two LFs end any server-sent event; a line of NDJSON must not be followed by an empty one.
        self._end = b"\n" if dialect == "ollama" else b"\n\n"
        self._gap = b""

    @property
    def resumable(self) -> bool:
        """Whether more text can follow: no tool call, audio, logprobs or second choice was sent."""
        return self._whole and self._writer is not None and self._writer.ready

    def observe(self, event: Event) -> None:
        """Take note of an event that the client got."""
        if event.opaque or event.finish or event.error:
            self._whole = False
        # A stream may break off between an event and the blank line that ends it.
        self._gap = b"" if event.raw.endswith(self._end) else self._end
        if self._writer is not None and not event.malformed:
            self._writer.learn(event)

    def text(self, delta: str) -> bytes:
        """Events that add `delta` to the answer. Raises LookupError where there is no writer."""
        return self._ended() + self._continuing().text(delta)

    def finish(self, reason: str | None, usage: Usage | None, want_usage: bool = False) -> bytes:
        """The closing events; a usage chunk only where the client asked for one (`want_usage`)."""
        return self._ended() + self._continuing().finish(reason, usage, want_usage)

    def error(self, error: GatewayError, request_id: str | None = None) -> bytes:
        """The event that tells the client that its answer failed."""
        number = self._writer.number if self._writer is not None else 0
        event = error_event(error, self._dialect, self._operation, request_id, number)
        return self._ended() + event

    def _ended(self) -> bytes:
        """The terminator that the last event lacks."""
        gap, self._gap = self._gap, b""
        return gap

    def _continuing(self) -> Writer:
        if self._writer is None:
            raise LookupError(f"{self._dialect} {self._operation} can't be continued")
        return self._writer


def _writer(dialect: str, operation: str) -> Writer | None:
    match dialect, operation:
        case "openai", ("chat" | "completions"):
            return ChunkWriter(operation)
        case "openai", "responses":
            return ResponseWriter()
        case "anthropic", "messages":
            return MessageWriter()
        case "ollama", ("chat" | "generate"):
            return LineWriter(operation)
    return None


def prefill_request(
    dialect: str, operation: str, body: Mapping[str, Any], text: str, delivered_tokens: int = 0
) -> dict[str, Any] | None:
    """The request that has a model go on from `text`; None where the operation has no such form.

    White space at the end of `text` is left out, since Anthropic refuses it: join the answer with
    `Seam(text)`. `delivered_tokens` are taken off the request's own output limit.
    """
    text = text.rstrip()
    if isinstance(body.get("messages"), list):
        changed = {"messages": _prefilled(body["messages"], text)}
    elif operation == "responses":
        changed = {"input": _continued(body.get("input"), text)}
    elif isinstance(body.get("prompt"), str) and _continues_prompt(operation, body):
        changed = {"prompt": body["prompt"] + text}
    else:
        return None
    return {**body, **changed, **_shorter(dialect, body, delivered_tokens)}


def _continues_prompt(operation: str, body: Mapping[str, Any]) -> bool:
    """A completion goes on from its prompt; Ollama's generate only without its chat template."""
    if operation == "generate":
        return body.get("raw") is True
    return operation == "completions" and not body.get("echo") and not body.get("suffix")


def _prefilled(messages: list[Any], text: str) -> list[Any]:
    if not text:
        return messages
    last = messages[-1] if messages else None
    if not isinstance(last, dict) or last.get("role") != "assistant":
        return [*messages, {"role": "assistant", "content": text}]
    content = last.get("content")
    joined = (
        [*content, {"type": "text", "text": text}]
        if isinstance(content, list)
        else (content or "") + text
    )
    return [*messages[:-1], {**last, "content": joined}]


def _continued(given: Any, text: str) -> list[Any]:
    """The items of a Responses input, and the text as the model's own."""
    items = given if isinstance(given, list) else [{"role": "user", "content": given}]
    return [*items, {"role": "assistant", "content": text}] if text else items


def _shorter(dialect: str, body: Mapping[str, Any], tokens: int) -> dict[str, Any]:
    holder = body.get("options") if dialect == "ollama" else body
    if not isinstance(holder, Mapping):
        return {}
    less = {
        name: max(1, holder[name] - tokens)
        for name in _LIMITS
        if type(holder.get(name)) is int and holder[name] > 0
    }
    return {"options": {**holder, **less}} if less and dialect == "ollama" else less
