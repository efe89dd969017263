"""Calls to record, and patience."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from llmitm.call import AttemptRecord, CallRecord

SECONDS = 60.0  # far longer than anything here takes, on a machine that is busy too
NOON = 1_795_176_000.0  # 2026-11-20 12:00 UTC


def make(**changes: Any) -> CallRecord:
    """A successful call with every field set, but for the `changes`."""
    fields: dict[str, Any] = {
        "request_id": uuid.uuid4().hex,
        "ts": NOON,
        "key": "dev",
        "user": "ava",
        "team": "research",
        "dialect": "openai",
        "operation": "chat",
        "route": "gpt-*",
        "model": "gpt-4o",
        "target": "openai/gpt-4o",
        "attempts": (
            AttemptRecord("local/llama3.2", 503, "upstream_unavailable", 12),
            AttemptRecord("openai/gpt-4o", 200, None, 345),
        ),
        "status": 200,
        "stream": True,
        "prompt_tokens": 1000,
        "cached_tokens": 400,
        "cache_write_tokens": 7,
        "completion_tokens": 100,
        "reasoning_tokens": 30,
        "cost_usd": Decimal("0.00300001875"),
        "ttft_ms": 210.5,
        "duration_ms": 357.25,
        "overhead_ms": 0.4,
        "client": "192.0.2.7",
    }
    return CallRecord(**fields | changes)


async def eventually(condition: Callable[[], bool], seconds: float = SECONDS) -> None:
    """Wait until a condition holds, and let the event loop run."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 -- nothing tells of a file or a state
            await asyncio.sleep(0.001)


def until(condition: Callable[[], bool], seconds: float = SECONDS) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not come true in time"
        time.sleep(0.01)
