"""The gateway's log as the UI's event log shows it."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable

from mitmproxy.log import LogEntry

MAX_EVENTS = 500
_LEVELS = {logging.DEBUG: "debug", logging.INFO: "info", logging.WARNING: "warn"}


class Events(logging.Handler):
    """The last records of the gateway's own loggers. `added` hears of each new one."""

    def __init__(self, added: Callable[[LogEntry], None]) -> None:
        super().__init__(logging.INFO)
        self.data: deque[LogEntry] = deque(maxlen=MAX_EVENTS)
        self._added = added
        self._loop = asyncio.get_running_loop()

    def install(self) -> None:
        logging.getLogger("llmitm").addHandler(self)

    def uninstall(self) -> None:
        logging.getLogger("llmitm").removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        entry = LogEntry(record.getMessage(), _LEVELS.get(record.levelno, "error"))
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._add, entry)

    def clear(self) -> None:
        self.data.clear()

    def _add(self, entry: LogEntry) -> None:
        self.data.append(entry)
        self._added(entry)
