"""What goes on the wire: a whole body, or the steps of a stream. Faults edit this record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from http import HTTPStatus

JSON = "application/json"
SSE = "text/event-stream; charset=utf-8"
NDJSON = "application/x-ndjson"


class Mark(Enum):
    """What a stream's event is, whatever the dialect calls it.

    FINISH says that the answer is complete (finish_reason, stop_reason, done), END that the
    stream is (`[DONE]`, message_stop).
    """

    START = auto()
    TOKEN = auto()
    FINISH = auto()
    USAGE = auto()
    END = auto()


class Break(Enum):
    """How a connection goes wrong."""

    CUT = auto()  # closed in good order, whatever was promised
    RESET = auto()  # closed with a TCP RST
    STALL = auto()  # left open, nothing more is sent


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing is sent for `seconds`."""

    seconds: float


type Event = tuple[Mark, bytes]
type Step = Event | Pause | Break


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer. With `steps` it is a chunked stream, else `body` as a whole.

    `length` is the Content-Length it claims, where that is not the body's. `before` happens
    before the status line, `slow_headers` is seconds between that line and the rest of the
    headers, `after` how it breaks when everything is sent. `dialect` names the shape of its
    errors; "responses" is OpenAI's Responses API, whose streams have their own.
    """

    dialect: str
    body: bytes = b""
    steps: Iterable[Step] | None = None
    status: int = 200
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)
    length: int | None = None
    before: tuple[Pause | Break, ...] = ()
    slow_headers: float = 0.0
    after: Break | None = None

    @property
    def reason(self) -> str:
        return _REASONS.get(self.status, "Error")


_REASONS = {status.value: status.phrase for status in HTTPStatus} | {529: "Overloaded"}
