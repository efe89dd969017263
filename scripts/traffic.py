"""A little traffic for a gateway that is being watched: every dialect, streams or not."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from observed import Stand

WORDS = "the gateway routes every call to a provider and counts what it used " * 12


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of call: how often it is made, by whom, and what it asks for."""

    weight: float
    key: str
    path: str
    body: dict[str, Any]


def _chat(model: str, *, stream: bool) -> dict[str, Any]:
    return {"model": model, "stream": stream, "messages": [{"role": "user", "content": WORDS}]}


KINDS = (
    Kind(6, "sk-web", "/v1/chat/completions", _chat("gpt-4o-mini", stream=True)),
    Kind(2, "sk-web", "/v1/chat/completions", _chat("gpt-4o-mini", stream=False)),
    Kind(
        3, "sk-web", "/v1/messages", {**_chat("claude-sonnet-4-5", stream=True), "max_tokens": 90}
    ),
    Kind(3, "sk-batch", "/v1/chat/completions", _chat("gpt-4o-mini", stream=False)),
    Kind(
        2,
        "sk-notebook",
        "/v1/messages",
        {**_chat("claude-haiku-4-5", stream=True), "max_tokens": 90},
    ),
    Kind(2, "sk-notebook", "/api/chat", _chat("llama3.2", stream=True)),
    Kind(1, "sk-batch", "/v1/chat/completions", _chat("mistral-small", stream=False)),
    Kind(0.3, "sk-web", "/v1/chat/completions", _chat("no-such-model", stream=False)),
    Kind(0.2, "sk-wrong", "/v1/chat/completions", _chat("gpt-4o-mini", stream=False)),
)


@dataclass
class Traffic:
    """Calls at random, `rate` per second; `answered` counts those that got an answer."""

    stand: Stand
    rate: float
    answered: int = 0
    _random: random.Random = field(default_factory=lambda: random.Random(7))
    _calls: set[asyncio.Task[None]] = field(default_factory=set)

    @contextlib.asynccontextmanager
    async def flowing(self) -> AsyncIterator[None]:
        """Calls while the context lasts; at its end, those that run are answered."""
        making = asyncio.create_task(self._make())
        try:
            yield
        finally:
            making.cancel()
            await asyncio.gather(making, return_exceptions=True)
            await asyncio.gather(*self._calls)

    async def _make(self) -> None:
        weights = [kind.weight for kind in KINDS]
        while True:
            kind = self._random.choices(KINDS, weights)[0]
            task = asyncio.create_task(self._call(kind))
            self._calls.add(task)
            task.add_done_callback(self._calls.discard)
            await asyncio.sleep(self._random.expovariate(self.rate))

    async def _call(self, kind: Kind) -> None:
        url, headers = f"{self.stand.gateway}{kind.path}", {"authorization": f"Bearer {kind.key}"}
        timeout = aiohttp.ClientTimeout(total=30)
        async with self.stand.http.post(
            url, json=kind.body, headers=headers, timeout=timeout
        ) as reply:
            await reply.read()
        self.answered += 1
