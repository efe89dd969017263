"""What a pair of dialects provides, and how two pairs make a third."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Protocol

from llmitm.dialects.carry import Json
from llmitm.dialects.frames import DONE, Payloads
from llmitm.dialects.relay import relay
from llmitm.errors import Cause, GatewayError


class StreamTranslation(Protocol):
    """A stream on its way from the provider's dialect to the client's."""

    @property
    def done(self) -> bool:
        """Whether the client has been sent its dialect's end mark."""

    def feed(self, chunk: bytes) -> bytes:
        """What the client gets for these bytes of the provider, cut anywhere. Never raises."""

    def end(self) -> bytes:
        """What is left to say once the provider has closed; no end mark if it was cut off."""


class Translation(Protocol):
    """One call between two dialects: make one for each attempt, and call `request` first."""

    path: str
    """The provider's path, as a client of its own dialect would ask for it (with ``/v1``)."""

    media_type: str
    """The content type of a stream as the client sees it."""

    def request(self, body: Json) -> tuple[str, Json]:
        """Path and body for the provider; `body["model"]` is the provider's name of the model.

        Raises GatewayError(INVALID_REQUEST) with `param` for what the provider's API can't say.
        """

    def response(self, body: Json, model: str) -> Json:
        """The whole answer, with `model` as the client is to see it.

        Raises GatewayError(INVALID_RESPONSE) for an answer that has no completion in it.
        """

    def stream(self, model: str) -> StreamTranslation: ...

    def error(self, status: int, body: object) -> Json:
        """The provider's error reply (parsed, or its bytes) in the client's dialect."""


class SseTranslation(ABC):
    """A stream of server-sent events being translated, one JSON payload after the other."""

    dialect: ClassVar[str]

    def __init__(self) -> None:
        self.done = False
        self._failed = False
        self._payloads = Payloads()

    def feed(self, chunk: bytes) -> bytes:
        return b"".join(map(self._one, self._payloads.of(chunk)))

    def end(self) -> bytes:
        rest = b"".join(map(self._one, self._payloads.rest()))
        return rest if self.done or self._failed else rest + self._close()

    def _one(self, payload: Json) -> bytes:
        if self.done or self._failed:
            return b""
        if payload is DONE:
            return self._close()
        return self._fail(payload) if payload.get("error") else self._payload(payload)

    def _fail(self, payload: Json) -> bytes:
        self._failed = True
        return self._frame_error(relay(payload, self.dialect))

    @abstractmethod
    def _payload(self, payload: Json) -> bytes:
        """What one payload becomes."""

    @abstractmethod
    def _close(self) -> bytes:
        """The end of the client's stream if the provider's was complete, else nothing."""

    @abstractmethod
    def _frame_error(self, error: Json) -> bytes:
        """The client's in-band error event."""


class Chain:
    """The client's dialect to a middle one, then the middle one to the provider's."""

    def __init__(self, outer: Translation, inner: Translation) -> None:
        self._outer = outer
        self._inner = inner
        self.path = inner.path
        self.media_type = outer.media_type

    def request(self, body: Json) -> tuple[str, Json]:
        return self._inner.request(self._outer.request(body)[1])

    def response(self, body: Json, model: str) -> Json:
        return self._outer.response(self._inner.response(body, model), model)

    def stream(self, model: str) -> StreamTranslation:
        return ChainStream(self._outer.stream(model), self._inner.stream(model))

    def error(self, status: int, body: object) -> Json:
        return self._outer.error(status, self._inner.error(status, body))


class ChainStream:
    """The two streams of a `Chain`, one feeding the other."""

    def __init__(self, outer: StreamTranslation, inner: StreamTranslation) -> None:
        self._outer = outer
        self._inner = inner

    @property
    def done(self) -> bool:
        return self._outer.done

    def feed(self, chunk: bytes) -> bytes:
        return self._outer.feed(self._inner.feed(chunk))

    def end(self) -> bytes:
        return self._outer.feed(self._inner.end()) + self._outer.end()


class Refused:
    """A call that no provider of this API can answer; its request says why."""

    media_type = "application/json"

    def __init__(self, dialect: str, message: str) -> None:
        self.path = ""
        self._dialect = dialect
        self._message = message

    def request(self, body: Json) -> tuple[str, Json]:
        raise GatewayError(Cause.INVALID_REQUEST, self._message, param="model")

    def response(self, body: Json, model: str) -> Json:
        raise GatewayError(Cause.INVALID_REQUEST, self._message, param="model")

    def stream(self, model: str) -> StreamTranslation:
        raise GatewayError(Cause.INVALID_REQUEST, self._message, param="model")

    def error(self, status: int, body: object) -> Json:
        return relay(body, self._dialect, status)
