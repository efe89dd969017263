"""SSE comments while a first token is awaited, so that idle proxies don't cut the connection."""

from __future__ import annotations

import asyncio
from types import TracebackType

from llmitm.call import Call
from llmitm.engine.delivery import Delivery


class KeepAlive:
    """Sends a comment after each `interval` seconds until the answer begins. None turns it off."""

    def __init__(self, call: Call, delivery: Delivery, interval: float | None) -> None:
        events = call.stream and call.dialect != "ollama" and not call.plain
        self._interval = interval if events else None
        self._delivery = delivery
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> None:
        if self._interval is not None:
            self._arm(self._interval)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _arm(self, interval: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(interval, self._beat, interval)

    def _beat(self, interval: float) -> None:
        if self._delivery.comment():
            self._arm(interval)
