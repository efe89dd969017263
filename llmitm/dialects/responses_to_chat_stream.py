"""Chat Completions chunks as the events of a response."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from llmitm.dialects.anthropic_to_openai_answer import reasoning
from llmitm.dialects.carry import Json, items, sub, text
from llmitm.dialects.chunks import ChunkTranslation
from llmitm.dialects.faults import responses_error
from llmitm.dialects.frames import event
from llmitm.dialects.response_object import ResponseObject, status
from llmitm.dialects.responses_to_chat_answer import logprobs
from llmitm.dialects.responses_to_chat_items import Call, Happening, Item, Message, Thought
from llmitm.dialects.tool_calls import ToolCall, ToolCalls


class ResponseStream(ChunkTranslation):
    """One response, event by event. Thoughts and text end where something else begins.

    Calls stay open to the end, since their fragments may come in turns.
    """

    dialect = "openai"

    def __init__(self, frame: ResponseObject) -> None:
        super().__init__()
        self._frame = frame
        self._number = 0
        self._items: list[Item] = []
        self._open: Item | None = None
        self._tools = ToolCalls()
        self._calls: dict[ToolCall, Call] = {}

    def _choice(self, _payload: Json, choice: Json) -> bytes:
        return self._framed(self._heard(choice))

    def _finished(self) -> bytes:
        out = self._framed(self._closing())
        self.done = True
        output = [item.value("completed") for item in self._items]
        if "status" in output[-1]:
            output[-1]["status"] = status(self._finish)
        ended = self._frame.ended(output, self._finish, self._usage)
        return out + self._framed([(f"response.{ended['status']}", {"response": ended})])

    def _frame_error(self, error: Json) -> bytes:
        return responses_error(error, self._number)

    def _framed(self, happened: Iterable[Happening]) -> bytes:
        out = []
        for kind, fields in happened:
            out.append(event({"type": kind, "sequence_number": self._number, **fields}, kind))
            self._number += 1
        return b"".join(out)

    def _heard(self, choice: Json) -> Iterator[Happening]:
        if not self._number:
            for kind in ("created", "in_progress"):
                yield f"response.{kind}", {"response": self._frame.running()}
        delta = sub(choice, "delta")
        yield from self._think(reasoning(delta), items(delta, "thinking_blocks"))
        yield from self._say("output_text", text(delta, "content"), logprobs(choice))
        yield from self._say("refusal", text(delta, "refusal"), [])
        for fragment in items(delta, "tool_calls"):
            yield from self._call(*self._tools.add(fragment))

    def _think(self, said: str, blocks: list[Json]) -> Iterator[Happening]:
        if not said and not blocks:
            return
        thought = self._open
        if not isinstance(thought, Thought):
            yield from self._close_open()
            self._open = thought = Thought(len(self._items))
            yield from self._begin(thought)
        if said:
            yield from thought.say(said)
        for block in blocks:
            thought.sign(block)

    def _say(self, kind: str, said: str, probabilities: list[Json]) -> Iterator[Happening]:
        if not said:
            return
        message = self._open
        if not isinstance(message, Message):
            yield from self._close_open()
            self._open = message = Message(len(self._items))
            yield from self._begin(message)
        yield from message.say(kind, said, probabilities)

    def _call(self, call: ToolCall, part: str) -> Iterator[Happening]:
        item = self._calls.get(call)
        if item is None:
            if not call.name:
                return  # it comes with a later fragment
            yield from self._close_open()
            self._calls[call] = item = Call(len(self._items), call)
            yield from self._begin(item)
            part = call.arguments
        yield from item.add(part)

    def _begin(self, item: Item) -> Iterator[Happening]:
        self._items.append(item)
        return item.begin()

    def _close_open(self) -> Iterator[Happening]:
        item, self._open = self._open, None
        if item is not None:
            yield from item.end("completed")

    def _closing(self) -> Iterator[Happening]:
        """The end of every item that is open still; a response without any says nothing."""
        if not self._items:
            yield from self._empty()
        last = self._items[-1]
        for item in self._items:
            if item is self._open or isinstance(item, Call):
                yield from item.end(status(self._finish) if item is last else "completed")

    def _empty(self) -> Iterator[Happening]:
        self._open = message = Message(0)
        yield from self._begin(message)
        yield from message.say("output_text", "", [])
