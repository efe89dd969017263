"""With the ledger's database away for half a minute, calls go on as if it were there."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from llmitm.stores.accounts import HISTORY_SECONDS
from llmitm.stores.reader import open_reader
from tests.stores.postgres_server import PostgresServer
from tests.support import process
from tests.support.gateway import KEY, Starter
from tests.support.rig import CHAT
from tests.support.workers import until

OUTAGE = 30.0  # seconds; at first the database hangs, then it is gone
HANGING = 12.0
BEFORE = 4.0
CLIENTS = 4
# What a busy machine may add to a call at any time; who waits for a database waits longer.
BUSY = HISTORY_SECONDS / 4
PAUSE = 0.1  # seconds that a client waits between its calls
BUDGETED, LATE = "sk-budgeted-0123456789", "sk-late-0123456789"
KEYS = {
    "keys": [
        {"id": "dev", "key": KEY},
        {"id": "budgeted", "key": BUDGETED, "budgets": [{"usd": 1000, "per": "day"}]},
        {"id": "late", "key": LATE, "budgets": [{"usd": 1000, "per": "month"}]},
    ]
}
PRICE = {"provider": "sim", "model": "*", "input_per_million": 1, "output_per_million": 1}
SPOOLED = "llmitm_ledger_spool_records"
BODY = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 5}


@dataclass
class Caller:
    """Calls on and on; `seconds` are how long its calls took since it was last asked."""

    url: str
    keys: list[str]
    running: bool = True
    ids: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    async def run(self) -> None:
        async with httpx.AsyncClient(timeout=60) as client:
            while True:
                await self._call(client, self.keys[len(self.ids) % len(self.keys)])
                if not self.running:
                    return
                await asyncio.sleep(PAUSE)

    async def _call(self, client: httpx.AsyncClient, key: str) -> None:
        began = time.perf_counter()
        headers = {"authorization": f"Bearer {key}"}
        reply = await client.post(self.url + CHAT, json=BODY, headers=headers)
        self.seconds.append(time.perf_counter() - began)
        assert reply.status_code == 200, reply.text
        self.ids.append(reply.headers["x-request-id"])


def taken(callers: Sequence[Caller]) -> list[float]:
    """How long calls took since this was last asked."""
    found = [second for caller in callers for second in caller.seconds]
    for caller in callers:
        caller.seconds.clear()
    return found


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    server = PostgresServer()
    try:
        server.start()
        yield server
    finally:
        server.remove()


async def test_half_a_minute_without_it(
    starter: Starter, server: PostgresServer, tmp_path: Path
) -> None:
    """No call fails or is slower for it, and afterwards each one is in the ledger once."""
    _, provider = starter.simulator(tokens=5, latency=0.02)
    ledger = server.new_database()
    settings = {"store": {"ledger": ledger}}
    policies = {"keys": KEYS, "prices": {"prices": [PRICE]}}
    with process.start(tmp_path, provider, settings, policies) as gateway:
        keys = [KEY, BUDGETED, new_key(gateway)]
        callers = [Caller(gateway.url, keys) for _ in range(CLIENTS)]
        running = [asyncio.create_task(caller.run()) for caller in callers]
        await asyncio.sleep(BEFORE)
        before = taken(callers)
        server.hang()
        await asyncio.sleep(HANGING)
        hanging = taken(callers)
        server.stop()
        late = Caller(gateway.url, [LATE], running=False)
        await late.run()  # nobody knows yet what was spent of its budget
        await asyncio.sleep(OUTAGE - HANGING)
        gone = taken(callers)
        assert detail(gateway)["ledger"] == "down, calls wait in the spool"
        assert metric(gateway, SPOOLED) > len(hanging)
        server.start()
        for caller in callers:
            caller.running = False
        await asyncio.gather(*running)
        for during in (hanging, gone):
            assert statistics.median(during) < max(3 * statistics.median(before), BUSY)
            assert statistics.quantiles(during, n=50)[-1] < max(3 * max(before), BUSY)
        assert max(late.seconds) < HISTORY_SECONDS / 2
        until(lambda: not metric(gateway, SPOOLED))
        ids = sorted(i for caller in [*callers, late] for i in caller.ids)
        async with open_reader(ledger) as reader:
            assert sorted(record.request_id for record in await reader.calls(100_000)) == ids


def new_key(gateway: process.Process) -> str:
    """A key that is known from the database."""
    reply = httpx.post(f"{gateway.admin_url}/admin/keys", json={"id": "made"})
    return str(reply.json()["key"])


def detail(gateway: process.Process) -> dict[str, str]:
    found: dict[str, str] = httpx.get(f"{gateway.admin_url}/readyz").json()["detail"]
    return found


def metric(gateway: process.Process, name: str) -> float:
    lines = httpx.get(f"{gateway.admin_url}/metrics").text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith(name))
