"""A gateway with routes that keep answers, and calls of which every one is over."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import httpx
import yaml

from llmitm.simulator.server import Simulator
from tests.support.calls import Watcher
from tests.support.gateway import Gateway

AVA, BEN, EVE, BOT, CAP = (f"sk-{name}-0123456789" for name in ("ava", "ben", "eve", "bot", "cap"))
SECONDS = 60.0
ROUTES: dict[str, Any] = {
    "kept": {"ttl": "1h"},
    "by-user": {"ttl": "1h", "scope": "user"},
    "by-team": {"ttl": "1h", "scope": "team"},
    "for-all": {"ttl": "1h", "scope": "global"},
    "brief": {"ttl": "1ms"},
    "single": {"ttl": "1h", "max_entries": 1},
    "tiny": {"ttl": "1h", "max_bytes": 10},
    "plain": None,
}
KEYS: dict[str, Any] = {
    "teams": [{"id": "one"}],
    "users": [{"id": "ava", "team": "one"}, {"id": "ben", "team": "one"}, {"id": "eve"}],
    "keys": [
        {"id": "ava", "key": AVA, "user": "ava"},
        {"id": "ben", "key": BEN, "user": "ben"},
        {"id": "eve", "key": EVE, "user": "eve", "models": ["kept", "plain"]},
        {"id": "bot", "key": BOT},
        {
            "id": "cap",
            "key": CAP,
            "limits": {"requests_per_minute": 3, "tokens_per_minute": 100_000},
            "budgets": [{"usd": 5, "per": "day"}],
        },
    ],
}
PRICE = {"provider": "sim", "model": "*", "input_per_million": 3, "output_per_million": 15}
OPENAI, ANTHROPIC, OLLAMA = "/v1/chat/completions", "/v1/messages", "/api/chat"


def routes(**changes: Any) -> dict[str, Any]:
    good = {"provider": "sim", "model": "sim-small", "prefill": True}
    rules = {**ROUTES, **changes}
    made = [{"model": m, "targets": [good], "cache": r} for m, r in rules.items()]
    for name, fault in (("joined", "cut"), ("second", "503")):
        bad = {"provider": "sim", "model": f"sim-small@{fault}"}
        rule = {"targets": [bad, good], "resilience": {"attempts": 2}, "cache": ROUTES["kept"]}
        made.append({"model": name, **rule})
    return {"routes": made}


@dataclass
class Stand:
    """A gateway with routes that keep answers; each prompt of a test is a new one."""

    gateway: Gateway
    simulator: Simulator
    watcher: Watcher
    _number: Iterator[int] = field(default_factory=count)

    def prompt(self) -> list[Any]:
        return [{"role": "user", "content": f"Question {next(self._number)} of {id(self)}"}]

    def post(
        self, body: dict[str, Any], path: str = OPENAI, key: str = AVA, **headers: str
    ) -> httpx.Response:
        """The answer to a call that is over: what it says is kept is kept."""
        before = len(self.watcher.records)
        sent = {"authorization": f"Bearer {key}", **headers}
        reply = httpx.post(self.gateway.url + path, json=body, headers=sent, timeout=SECONDS)
        self.watcher.wait(before + 1)
        return reply

    def chat(self, model: str = "kept", **more: Any) -> dict[str, Any]:
        return {"model": model, "messages": self.prompt(), **more}

    def twice(self, ask: Callable[[], Any]) -> list[Any]:
        """Two answers, the second asked for when the first call is over."""
        answers = []
        for _ in range(2):
            before = len(self.watcher.records)
            answers.append(ask())
            self.watcher.wait(before + 1)
        return answers

    def route(self, content: Any) -> None:
        """Replace the routes, and wait until the gateway has taken them."""
        before, path = self.gateway.master.runtime.policies, self.gateway.policies / "routes.yaml"
        fresh = path.with_suffix(".tmp")
        fresh.write_text(yaml.safe_dump(content))
        fresh.replace(path)
        deadline = time.monotonic() + SECONDS
        while self.gateway.master.runtime.policies is before:
            assert time.monotonic() < deadline, "the edit was not taken"
            time.sleep(0.01)

    def metric(self, line: str) -> float:
        text = httpx.get(f"{self.gateway.admin_url}/metrics").text
        return sum(float(x.removeprefix(line)) for x in text.splitlines() if x.startswith(line))


def results(*replies: httpx.Response) -> list[str | None]:
    """What each reply says of the cache."""
    return [reply.headers.get("x-llmitm-cache") for reply in replies]
