"""Messages between the supervisor and a worker: frames on a pair of Unix sockets.

The supervisor sends a `Job`, pickled, and then an empty frame whenever it wants the newest
metrics. The worker sends `Message`s. Either end takes the other's death for what it is: the end
of the stream.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from llmitm.config.load import Loaded
from llmitm.config.stamps import Stamps

_LENGTH = struct.Struct("!I")

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Job:
    """What a worker is to do: `seen` are the versions of the policy files that `loaded` is of."""

    loaded: Loaded
    admin_socket: Path
    seen: Stamps = field(default_factory=dict)
    drained: frozenset[str] = frozenset()


class Ready(msgspec.Struct, tag=True, frozen=True):
    """The worker accepts calls."""


class Failed(msgspec.Struct, tag=True, frozen=True):
    """The worker can't start; the reason is for the operator."""

    reason: str


class Family(msgspec.Struct, frozen=True, array_like=True):
    """A metric. `shape` has the suffix and the `le` of each value of one label set.

    `across` names how a gauge's values of several workers become one; the others are summed.
    """

    name: str
    kind: str
    help: str
    across: str
    shape: tuple[tuple[str, str], ...]


class Row(msgspec.Struct, frozen=True, array_like=True):
    """The values of one label set. `family` counts the worker's families in order, from 0."""

    family: int
    labels: Labels
    values: tuple[float, ...]


class Report(msgspec.Struct, tag=True, frozen=True):
    """What changed in a worker's metrics since its last report; `families` are new ones."""

    families: list[Family] = []
    rows: list[Row] = []
    gone: list[tuple[int, Labels]] = []
    answers: int = 0  # how many requests for the newest metrics this answers


Message = Ready | Failed | Report

_encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Message).decode


class Channel:
    """One end."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, end: socket.socket) -> Channel:
        return cls(*await asyncio.open_unix_connection(sock=end))

    async def send(self, message: Message) -> None:
        """Raises ConnectionError where the other end is gone."""
        await self.send_frame(_encode(message))

    async def send_frame(self, payload: bytes) -> None:
        """Raises ConnectionError where the other end is gone."""
        if self._writer.is_closing():
            raise ConnectionResetError("the other process has ended")
        self._writer.write(_LENGTH.pack(len(payload)) + payload)
        await self._writer.drain()

    async def frame(self) -> bytes | None:
        """The next frame; None at the end."""
        try:
            head = await self._reader.readexactly(_LENGTH.size)
            return await self._reader.readexactly(*_LENGTH.unpack(head))
        except (asyncio.IncompleteReadError, ConnectionError):
            return None

    async def frames(self) -> AsyncIterator[bytes]:
        while (payload := await self.frame()) is not None:
            yield payload

    def close(self) -> None:
        self._writer.close()
