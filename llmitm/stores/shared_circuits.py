"""Circuits that open and close for all processes: what one of them learns, the others follow."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import NamedTuple

from llmitm.stores.link import Link, StoreDown
from llmitm.stores.resp import Reply

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.25
# A circuit that opened longer ago is left to what this process learns itself.
FRESH_SECONDS = 30.0
KEY, NUMBER = "{llmitm}:circuits", "{llmitm}:circuits:number"


class Change(NamedTuple):
    """A target's circuit opened or closed. `at` is seconds since the epoch."""

    number: int
    process: str
    at: float
    opened: bool


class SharedCircuits:
    """Says what this process's circuits do, and has `follow(target, opened)` do as others' did."""

    def __init__(self, link: Link, process: str, follow: Callable[[str, bool], None]) -> None:
        self._link = link
        self._process = process
        self._follow = follow
        self._number = 0
        self._telling: set[asyncio.Task[None]] = set()

    def tell(self, target: str, opened: bool) -> None:
        """A circuit of this process changed its state."""
        if self._link.up:
            task = asyncio.create_task(self._tell(target, opened), name="tell of a circuit")
            self._telling.add(task)
            task.add_done_callback(self._telling.discard)

    async def run(self) -> None:
        """Follow what others' circuits do, until cancelled."""
        while True:
            if self._link.up:
                with suppress(StoreDown):
                    await self.look()
            await asyncio.sleep(POLL_SECONDS)

    async def look(self) -> None:
        """Follow what is new."""
        number = int(_text(await self._link.send("GET", NUMBER)) or 0)
        if number == self._number:
            return
        # A store that was emptied counts from the beginning.
        seen = self._number if number > self._number else 0
        for target, change in _changes(await self._link.send("HGETALL", KEY)):
            recent = time.time() - change.at < FRESH_SECONDS
            if change.number > seen and change.process != self._process and recent:
                logger.info("circuit of %s %s elsewhere", target, _said(change.opened))
                self._follow(target, change.opened)
        self._number = number

    async def _tell(self, target: str, opened: bool) -> None:
        with suppress(StoreDown):
            number = await self._link.send("INCR", NUMBER)
            said = f"{number!r} {self._process} {time.time():.3f} {_said(opened)}"
            await self._link.send("HSET", KEY, target, said)


def _said(opened: bool) -> str:
    return "opened" if opened else "closed"


def _changes(reply: Reply) -> Iterator[tuple[str, Change]]:
    fields = [_text(part) for part in reply] if isinstance(reply, list) else []
    for target, value in zip(fields[::2], fields[1::2], strict=True):
        number, process, at, state = value.split(" ")
        yield target, Change(int(number), process, float(at), state == _said(True))


def _text(reply: Reply) -> str:
    return reply.decode() if isinstance(reply, bytes) else ""
