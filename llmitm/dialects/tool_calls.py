"""Putting the tool calls of an OpenAI stream together from their fragments."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field

from llmitm.dialects.carry import Json, sub, text


@dataclass(slots=True, eq=False)
class ToolCall:
    """One tool call as far as it has come; its arguments are JSON text."""

    index: object
    id: str = ""
    name: str = ""
    fragments: list[str] = field(default_factory=list)

    @property
    def arguments(self) -> str:
        return "".join(self.fragments)


class ToolCalls:
    """The tool calls of one message, in the order in which they began."""

    def __init__(self) -> None:
        self.calls: list[ToolCall] = []

    def add(self, delta: Json) -> tuple[ToolCall, str]:
        """The call that a fragment belongs to, begun by it or before, and what it adds."""
        call = self._find(delta)
        if call is None:
            call = ToolCall(delta.get("index"))
            self.calls.append(call)
        function = sub(delta, "function")
        call.id = call.id or text(delta, "id")
        call.name = call.name or text(function, "name")
        part = text(function, "arguments")
        if part:
            call.fragments.append(part)
        return call, part

    def _find(self, delta: Json) -> ToolCall | None:
        """By index; but some servers give every call the index 0 and an id of its own."""
        given = text(delta, "id")
        for call in reversed(self.calls):
            if call.index == delta.get("index") and (not given or call.id in ("", given)):
                return call
        return None


def fresh_id() -> str:
    """An id for a tool call of a server that gives none, so that its result can name it."""
    return f"call_{uuid.uuid4().hex[:24]}"
