"""The output items of a response while they are being streamed: what happens to each, in order.

Every method gives events as their kind and fields; the stream numbers and frames them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

from llmitm.dialects import tool_calls
from llmitm.dialects.carry import Json
from llmitm.dialects.response_object import (
    call_item,
    fresh_id,
    message_item,
    reasoning_item,
    refusal_part,
    summary_part,
    text_part,
)
from llmitm.dialects.sealed_thoughts import sealed, thought_id
from llmitm.dialects.tool_calls import ToolCall

type Happening = tuple[str, Json]


class Item(ABC):
    """One output item, from its beginning to its end; `index` is its place in the output."""

    def __init__(self, item_id: str, index: int) -> None:
        self.id = item_id
        self.index = index

    def begin(self) -> Iterator[Happening]:
        item = self.value("in_progress")
        yield "response.output_item.added", {"output_index": self.index, "item": item}

    def end(self, status: str) -> Iterator[Happening]:
        yield from self._finish()
        item = self.value(status)
        yield "response.output_item.done", {"output_index": self.index, "item": item}

    @abstractmethod
    def value(self, status: str) -> Json:
        """The item as far as it has come."""

    @abstractmethod
    def _finish(self) -> Iterator[Happening]:
        """The end of what is inside it."""

    def _event(self, kind: str, **fields: Any) -> Happening:
        at = {"item_id": self.id, "output_index": self.index}
        return f"response.{kind}", {**at, **fields}


class Thought(Item):
    """A reasoning item, with all that is thought in one summary."""

    def __init__(self, index: int) -> None:
        super().__init__(thought_id(), index)
        self._said: list[str] = []
        self._blocks: list[Json] = []

    def say(self, delta: str) -> Iterator[Happening]:
        if not self._said:
            yield self._at("part.added", part=summary_part(""))
        self._said.append(delta)
        yield self._at("text.delta", delta=delta)

    def sign(self, block: Json) -> None:
        """Keep a thinking block as Claude signed it."""
        self._blocks.append({key: value for key, value in block.items() if key != "index"})

    def value(self, status: str) -> Json:
        return reasoning_item(self.id, "".join(self._said), sealed(self._blocks))

    def _finish(self) -> Iterator[Happening]:
        if self._said:
            said = "".join(self._said)
            yield self._at("text.done", text=said)
            yield self._at("part.done", part=summary_part(said))

    def _at(self, kind: str, **fields: Any) -> Happening:
        return self._event(f"reasoning_summary_{kind}", summary_index=0, **fields)


class Message(Item):
    """What the model says: text, or why it refuses; one part after the other."""

    def __init__(self, index: int, item_id: str = "") -> None:
        super().__init__(item_id or fresh_id("msg"), index)
        self._parts: list[Json] = []
        self._kind = ""
        self._said: list[str] = []
        self._logprobs: list[Json] = []

    def say(self, kind: str, delta: str, logprobs: list[Json]) -> Iterator[Happening]:
        """Add to a part of the kind `output_text` or `refusal`."""
        if kind != self._kind:
            yield from self._finish()
            self._kind = kind
            yield self._at("content_part.added", part=self._part())
        self._said.append(delta)
        self._logprobs += logprobs
        extra = {"logprobs": logprobs} if kind == "output_text" else {}
        yield self._at(f"{kind}.delta", delta=delta, **extra)

    def hear(self, delta: str) -> None:
        """Take note of text that the client has from elsewhere."""
        self._kind = "output_text"
        self._said.append(delta)

    def value(self, status: str) -> Json:
        return message_item(self.id, [*self._parts], status)

    def _part(self) -> Json:
        said = "".join(self._said)
        return refusal_part(said) if self._kind == "refusal" else text_part(said, self._logprobs)

    def _finish(self) -> Iterator[Happening]:
        if self._kind:
            part = self._part()
            fields = {key: part[key] for key in ("text", "refusal", "logprobs") if key in part}
            yield self._at(f"{self._kind}.done", **fields)
            yield self._at("content_part.done", part=part)
            self._parts.append(part)
            self._kind, self._said, self._logprobs = "", [], []

    def _at(self, kind: str, **fields: Any) -> Happening:
        return self._event(kind, content_index=len(self._parts), **fields)


class Call(Item):
    """A call of a function; its arguments are JSON text that comes in fragments."""

    def __init__(self, index: int, call: ToolCall) -> None:
        super().__init__(fresh_id("fc"), index)
        self._name = call.name
        self._call_id = call.id or tool_calls.fresh_id()
        self._arguments: list[str] = []

    def add(self, part: str) -> Iterator[Happening]:
        if part:
            self._arguments.append(part)
            yield self._event("function_call_arguments.delta", delta=part)

    def value(self, status: str) -> Json:
        arguments = "".join(self._arguments)
        return call_item(self.id, self._call_id, self._name, arguments, status)

    def _finish(self) -> Iterator[Happening]:
        if not self._arguments:
            yield from self.add("{}")
        said = {"arguments": "".join(self._arguments), "name": self._name}
        yield self._event("function_call_arguments.done", **said)
