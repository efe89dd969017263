"""What a gateway in this process logs, as it would on its stdout."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import structlog

from llmitm import logs

# What logs in the test's own part of the process.
_OTHERS = ("httpx", "httpcore", "openai", "anthropic", "websockets", "asyncio")


class Log:
    """Everything that was logged, so far."""

    def __init__(self, capture: pytest.CaptureFixture[str]) -> None:
        self._capture = capture
        self._seen = ""

    @property
    def text(self) -> str:
        for handler in logging.getLogger().handlers:
            handler.flush()
        out, err = self._capture.readouterr()
        self._seen += out + err
        return self._seen

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines() if line.startswith("{")]

    @property
    def calls(self) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["event"] == "call"]


@contextmanager
def logged(capture: pytest.CaptureFixture[str], level: str = "info") -> Iterator[Log]:
    root = logging.getLogger()
    before, number = root.handlers[:], root.level
    quiet = {name: logging.getLogger(name).level for name in _OTHERS}
    for name in quiet:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    logs.configure(level)
    try:
        yield Log(capture)
    finally:
        for handler in root.handlers:
            handler.close()
        root.handlers[:] = before
        root.setLevel(number)
        structlog.reset_defaults()
        for name, old in quiet.items():
            logging.getLogger(name).setLevel(old)
