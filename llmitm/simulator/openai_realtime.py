"""OpenAI's Realtime API, in text: a WebSocket at /v1/realtime.

The text events are named as in the beta API (`response.text.delta`) until a session.update
has `session.type` "realtime", as clients of the general API send it; from then on
`response.output_text.delta`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec
from aiohttp import WSMsgType, web

from llmitm.simulator.answer import Answer, Ask, answer
from llmitm.simulator.exchange import Exchange
from llmitm.simulator.frames import encode
from llmitm.simulator.ids import new_id
from llmitm.simulator.refusals import BROKEN_JSON, Refused, invalid
from llmitm.simulator.reply import Event, Mark, Reply, Step
from llmitm.simulator.turns import turns_of
from llmitm.simulator.wire import Wire

type Json = dict[str, Any]


def handshake(ex: Exchange) -> Reply:
    """What `converse` takes over, once faults left it whole."""
    return Reply("realtime", steps=())


async def converse(request: web.BaseRequest, ex: Exchange, wire: Wire) -> web.StreamResponse:
    """Speaks with one client until it or a fault closes the connection."""
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    session = _Session(ex)
    await socket.send_frame(session.opened(), WSMsgType.TEXT)
    async for message in socket:
        for step in session.receive(message.data):
            if not isinstance(step, tuple):
                if not await wire.step(step):
                    return socket
                continue
            mark, frame = step
            if mark is Mark.TOKEN:
                await wire.paced()
            await socket.send_frame(frame, WSMsgType.TEXT)
    return socket


class _Session:
    """The conversation on one WebSocket."""

    def __init__(self, ex: Exchange) -> None:
        self.ex = ex
        self.settings: Json = {"id": new_id("sess_"), "object": "realtime.session"}
        self.settings["model"] = ex.body.get("model")
        self.messages: list[Any] = []

    def opened(self) -> bytes:
        return _event("session.created", session=self.settings)

    def receive(self, data: str | bytes) -> Iterable[Step]:
        """What one event of the client is answered with."""
        try:
            event = msgspec.json.decode(data)
        except msgspec.DecodeError:
            return [_error(Refused(BROKEN_JSON))]
        try:
            return self._handled(event)
        except Refused as refused:
            return [_error(refused)]

    def _handled(self, event: Any) -> Iterable[Step]:
        match event:
            case {"type": "session.update", "session": dict(changes)}:
                self.settings |= changes
                return [(Mark.START, _event("session.updated", session=self.settings))]
            case {"type": "conversation.item.create", "item": dict(item)}:
                return self._add(item)
            case {"type": "response.create"}:
                return self._respond(event.get("response"))
            case {"type": str(kind)} if kind.startswith("input_audio_buffer."):
                return []
        raise Refused(invalid("Unknown or incomplete event.", "type"))

    def _add(self, item: Json) -> Iterable[Step]:
        turns_of([item])
        self.messages.append(item)
        names = ("added", "done") if self._general else ("created",)
        item = {"id": new_id("item_"), "object": "realtime.item", "status": "completed", **item}
        return [(Mark.START, _event(f"conversation.item.{name}", item=item)) for name in names]

    def _respond(self, wanted: Any) -> Iterable[Step]:
        asked = wanted if isinstance(wanted, Mapping) else {}
        system = asked.get("instructions") or self.settings.get("instructions")
        said = answer(self.ex, Ask(turns_of(asked.get("input") or self.messages, system)))
        self.messages.append({"role": "assistant", "content": said.text})
        events = _Response(said, "output_text" if self._general else "text").events()
        return self.ex.fault.apply(Reply("realtime", steps=events)).steps or ()

    @property
    def _general(self) -> bool:
        return self.settings.get("type") == "realtime"


class _Response:
    """The events of one response; `part` is the name of a text part in this version of the API."""

    def __init__(self, said: Answer, part: str) -> None:
        self.said = said
        self.part = part
        self.id = new_id("resp_")
        self.item_id = new_id("item_")

    def events(self) -> Iterator[Event]:
        in_response = {"response_id": self.id, "output_index": 0}
        at = {**in_response, "item_id": self.item_id, "content_index": 0}
        yield Mark.START, _event("response.created", response=self._object("in_progress"))
        opened = self._item("in_progress", [])
        yield Mark.START, _event("response.output_item.added", **in_response, item=opened)
        yield Mark.START, _event("response.content_part.added", **at, part=self._text(""))
        for piece in self.said.pieces:
            yield Mark.TOKEN, _event(f"response.{self.part}.delta", **at, delta=piece)
        part = self._text(self.said.text)
        yield Mark.FINISH, _event(f"response.{self.part}.done", **at, text=self.said.text)
        yield Mark.FINISH, _event("response.content_part.done", **at, part=part)
        item = self._item("completed", [part])
        yield Mark.FINISH, _event("response.output_item.done", **in_response, item=item)
        usage = self.said.usage
        counted = {
            "input_tokens": usage.prompt_tokens,
            "output_tokens": usage.completion_tokens,
            "total_tokens": usage.total_tokens,
            "input_token_details": {"cached_tokens": usage.cached_tokens},
        }
        done = {**self._object("completed"), "output": [item], "usage": counted}
        yield Mark.FINISH, _event("response.done", response=done)

    def _object(self, status: str) -> Json:
        return {"id": self.id, "object": "realtime.response", "status": status, "output": []}

    def _item(self, status: str, content: list[Json]) -> Json:
        head = {"id": self.item_id, "object": "realtime.item", "type": "message"}
        return {**head, "status": status, "role": "assistant", "content": content}

    def _text(self, text: str) -> Json:
        return {"type": self.part, "text": text}


def _event(kind: str, **fields: Any) -> bytes:
    return encode({"type": kind, "event_id": new_id("event_"), **fields})


def _error(refused: Refused) -> Event:
    return Mark.START, _event("error", **refused.refusal.object("realtime", new_id("req_")))
