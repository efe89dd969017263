"""Several workers under one supervisor are one gateway, whichever of them dies."""

from __future__ import annotations

import asyncio
import itertools
import signal
import socket
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from llmitm.call import CallRecord, Principal
from llmitm.cli import main
from llmitm.config.load import load
from llmitm.scopes import Allowances, Scopes
from llmitm.stores.reader import open_reader
from tests.stores.postgres_server import PostgresServer
from tests.support.gateway import KEY, Starter
from tests.support.prompt import seconds_until, within_a_second
from tests.support.rig import AUTH, CHAT
from tests.support.valkey import Stored, url_of, valkey
from tests.support.wire import DONE, STREAM_HEAD, Peer, Upstream, connect, finish, token
from tests.support.workers import SECONDS, Fleet, host_of, post, send, start, until

LIMITED, SLOTS, MONEY = (f"sk-{name}-0123456789" for name in ("limited", "slots", "money"))
HELD_CALLS, TOKENS = 8, 5
LEASE = 10.0  # seconds
POLICIES = {
    "keys": {
        "keys": [
            {"id": "dev", "key": KEY},
            {"id": "limited", "key": LIMITED, "limits": {"requests_per_minute": 100}},
            {"id": "slots", "key": SLOTS, "limits": {"concurrent": HELD_CALLS}},
            {"id": "money", "key": MONEY, "budgets": [{"usd": HELD_CALLS * TOKENS, "per": "day"}]},
        ]
    },
    # A dollar for each token of an answer.
    "prices": {
        "prices": [
            {
                "provider": "sim",
                "model": "*",
                "input_per_million": 0,
                "output_per_million": 1_000_000,
            }
        ]
    },
    "resilience": {"timeouts": {"first_token": 60, "between_tokens": 60}},
}
MEMORABLE = 1.0  # seconds: what ended longer ago is in the ledger whatever happens
BODY = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 5}


@dataclass
class Ground:
    """What fleets stand on: a provider and a store that they share."""

    directory: Path
    provider: str
    shared: str
    stack: ExitStack

    def fleet(self, name: str, ledger: str = "", provider: str = "", lease: float = 30) -> Fleet:
        directory = self.directory / name
        directory.mkdir()
        return self.stack.enter_context(
            start(directory, provider or self.provider, self.shared, POLICIES, ledger, lease)
        )


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    directory = tmp_path_factory.mktemp("fleets")
    starter = Starter(directory)
    _, url = starter.simulator(tokens=5, latency=0.05)
    with ExitStack() as stack:
        stack.callback(starter.close)
        yield Ground(directory, url, url_of(stack.enter_context(valkey())), stack)


@pytest.fixture(scope="module")
def fleet(ground: Ground) -> Fleet:
    return ground.fleet("sqlite")


@pytest.fixture(scope="module")
def postgres_fleet(ground: Ground) -> Fleet:
    server = PostgresServer()
    ground.stack.callback(server.remove)
    server.start()
    return ground.fleet("postgres", server.new_database())


def records(ledger: str) -> list[CallRecord]:
    async def read() -> list[CallRecord]:
        async with open_reader(ledger) as reader:
            return await reader.calls(100_000)

    return asyncio.run(read())


def test_all_serve(fleet: Fleet) -> None:
    """Connections are spread over all workers, and what each one counts adds up."""
    before = fleet.metric("llmitm_requests_total")
    clients = fleet.clients()
    assert sorted(clients) == sorted(fleet.pids)
    until(lambda: fleet.metric("llmitm_in_flight") == 0)
    asked = fleet.metric("llmitm_requests_total") - before
    assert [post(peer, KEY).status for peer in clients.values()] == [200, 200]
    until(lambda: fleet.metric("llmitm_in_flight") == 0)
    assert fleet.metric("llmitm_requests_total") - before == asked + 2
    assert fleet.metric("llmitm_workers_ready") == 2


async def test_exactly_the_limit_is_admitted(fleet: Fleet) -> None:
    """Of 500 calls at once against 100 a minute, the workers together admit 100."""
    limits = httpx.Limits(max_connections=100)
    headers = {"authorization": f"Bearer {LIMITED}"}
    async with httpx.AsyncClient(headers=headers, timeout=60, limits=limits) as client:
        calls = (client.post(fleet.url + CHAT, json=BODY) for _ in range(500))
        replies = await asyncio.gather(*calls)
    assert Counter(reply.status_code for reply in replies) == {200: 100, 429: 400}


def test_a_new_key(fleet: Fleet) -> None:
    """A key that the admin API makes works at once, and one that it deletes is gone at once."""
    clients = fleet.clients().values()
    secret = fleet.admin.post("/admin/keys", json={"id": "new"}).json()["key"]
    assert [post(peer, secret).status for peer in clients] == [200, 200]
    assert fleet.admin.delete("/admin/keys/new").status_code == 204
    assert [post(peer, secret).status for peer in clients] == [401, 401]


def test_draining_a_target(fleet: Fleet) -> None:
    """All workers drain a target, and all send it calls again."""
    for action in ("drain", "undrain"):
        change = {"target": "sim/*", "action": action}
        reply = fleet.admin.post("/admin/targets", json=change)
        draining = {row["target"]: row["draining"] for row in reply.json()["targets"]}
        assert draining["sim/*"] == (action == "drain")


def test_a_revoked_key(fleet: Fleet) -> None:
    """A key that the command line revokes stops working on every worker within a second."""
    clients = fleet.clients()
    names = (f"ci{number}" for number in itertools.count())

    def everywhere(secret: str, status: int) -> float:
        return sum(
            seconds_until(partial(answers, peer, secret, status)) for peer in clients.values()
        )

    def revoked() -> float:
        name = next(names)
        secret = cli("keys", "create", "-c", fleet.config, "--id", name).splitlines()[-1]
        everywhere(secret, 200)
        cli("keys", "revoke", "-c", fleet.config, name)
        return everywhere(secret, 401)

    within_a_second(revoked)


def answers(peer: Peer, key: str, status: int) -> bool:
    return post(peer, key).status == status


def cli(*arguments: str) -> str:
    result = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_hangup(fleet: Fleet) -> None:
    """SIGHUP lets every worker read the policies again."""
    name = "llmitm_config_reloads_total"
    before = fleet.metric(name)
    fleet.process.popen.send_signal(signal.SIGHUP)
    until(lambda: fleet.metric(name) == before + 2)


def test_numbers_survive(fleet: Fleet) -> None:
    """With a worker killed between calls, the calls that were made are those that are counted."""
    name = "llmitm_requests_total"
    before, restarts = fleet.metric(name), fleet.metric("llmitm_worker_restarts_total")
    made = 0
    for _ in range(2):
        clients = fleet.settle().clients()
        for peer in clients.values():
            assert post(peer, KEY, model="counted").status == 200
        made += 2
        until(lambda: fleet.metric("llmitm_in_flight") == 0)
        assert counted(fleet) == made
        fleet.kill(next(iter(clients)))
        assert counted(fleet) == made
        for peer in clients.values():
            peer.close()
    fleet.settle()
    assert fleet.metric("llmitm_worker_restarts_total") == restarts + 2
    assert fleet.metric(name) > before


def counted(fleet: Fleet) -> float:
    """The calls of one model, by the metrics."""
    return sum(fleet.metrics("llmitm_requests_total", 'target="sim/counted"'))


def test_what_a_dead_worker_held(ground: Ground) -> None:
    """What calls of a killed worker held comes back within their lease, and nothing else does."""
    fleet = ground.fleet("leased", lease=LEASE)
    clients = [connect(fleet.url) for _ in range(2 * HELD_CALLS)]
    for peer, key in zip(clients, [SLOTS, MONEY] * HELD_CALLS, strict=True):
        send(peer, key, "m@stall:after=1", stream=True, max_tokens=TOKENS)
        peer.until(b"data: ")
    assert refused(fleet, SLOTS) == "rate_limit_exceeded"
    assert refused(fleet, MONEY) == "insufficient_quota"
    served = [fleet.server_of(peer) for peer in clients]
    # Of each key's calls those that go on.
    alive = [HELD_CALLS - served[n::2].count(served[0]) for n in range(2)]
    stored = Stored(fleet.shared, LEASE)
    try:
        [slots], [money] = allowances(fleet, "slots").limits, allowances(fleet, "money").budgets
        fleet.kill(served[0])
        killed = time.monotonic()
        assert stored.level(slots, time.time()).spent == HELD_CALLS
        assert stored.level(money, time.time()).held == money.amount
        until(lambda: time.monotonic() > killed + LEASE)
        assert stored.level(slots, time.time()).spent == alive[0]
        assert stored.level(money, time.time()).held == alive[1] * money.amount // HELD_CALLS
    finally:
        stored.close()
    more = [connect(fleet.settle().url) for _ in range(HELD_CALLS - alive[0])]
    for peer in more:
        send(peer, SLOTS, "m@stall:after=1", stream=True, max_tokens=TOKENS)
        peer.until(b"data: ")
    assert refused(fleet, SLOTS)
    for peer in clients + more:
        peer.close()


def refused(fleet: Fleet, key: str) -> str | None:
    """Why a call of this key isn't admitted."""
    peer = connect(fleet.url)
    try:
        reply = post(peer, key, max_tokens=TOKENS)
        return None if reply.status == 200 else str(reply.json["error"]["code"])
    finally:
        peer.close()


def allowances(fleet: Fleet, key_id: str) -> Allowances:
    policies = load(Path(fleet.config), {}).policies
    key = next(key for key in policies.keys if key.id == key_id)
    return Scopes().of(policies, Principal(key_id, policy=key), "m", "*")


@dataclass
class Load:
    """Clients that call on and on; `ended` has the time of each answer by its request id."""

    url: str
    running: bool = True
    made: int = 0
    ended: dict[str, float] = field(default_factory=dict)

    async def client(self) -> None:
        async with httpx.AsyncClient(headers=AUTH, timeout=60) as client:
            while self.running:
                self.made += 1
                try:
                    reply = await client.post(self.url + CHAT, json=BODY)
                except httpx.TransportError:
                    continue  # its worker died
                if reply.status_code == 200:
                    self.ended[reply.headers["x-request-id"]] = time.monotonic()

    def lasted(self, seconds: float) -> bool:
        times = self.ended.values()
        return bool(times) and max(times) - min(times) > seconds


@pytest.mark.parametrize("name", ["fleet", "postgres_fleet"])
async def test_killed_under_load(name: str, request: pytest.FixtureRequest) -> None:
    """kill -9 of a worker under load loses no call that ended over a second before, and it is back.

    The others serve on, and no number ever goes down.
    """
    fleet: Fleet = request.getfixturevalue(name)
    fleet.settle()
    load = Load(fleet.url)
    clients = [asyncio.create_task(load.client()) for _ in range(4)]
    numbers: list[float] = []

    def watched(condition: bool) -> bool:
        numbers.append(fleet.metric("llmitm_requests_total"))
        return condition

    await asyncio.to_thread(until, lambda: watched(load.lasted(1.5 * MEMORABLE)))
    victim = fleet.pids[0]
    killed = time.monotonic()
    await asyncio.to_thread(fleet.kill, victim)
    await asyncio.to_thread(until, lambda: watched(fleet.complete))
    load.running = False
    await asyncio.gather(*clients)
    assert victim not in fleet.pids
    assert numbers == sorted(numbers)
    sure = {i for i, at in load.ended.items() if at < killed - MEMORABLE or at > killed + MEMORABLE}
    assert len(sure) > 20
    ids: list[str] = []

    def recorded() -> bool:
        ids[:] = [record.request_id for record in records(fleet.ledger)]
        return sure <= set(ids)

    await asyncio.to_thread(until, recorded)
    assert len(ids) == len(set(ids))


def test_sigterm(ground: Ground) -> None:
    """SIGTERM lets the streams of all workers end, takes no more calls, and ends with 0."""
    with Upstream() as upstream:
        fleet = ground.fleet("ended", provider=upstream.url)
        clients = list(fleet.clients().values())
        providers = []
        for peer in clients:
            send(peer, KEY, stream=True)
            provider, _ = upstream.request()
            provider.send(STREAM_HEAD)
            provider.send_chunk(token("first"))
            peer.until(b"first")
            providers.append(provider)
        fleet.process.terminate()
        until(lambda: refuses(fleet.url))
        for peer, provider in zip(clients, providers, strict=True):
            provider.send_chunk(token("last") + finish() + DONE)
            provider.send_chunk(b"")
            assert peer.until(DONE)
        assert fleet.process.ended() == 0
    streams = [record for record in records(fleet.ledger) if record.stream]
    assert [record.status for record in streams] == [200] * len(clients)


def refuses(url: str) -> bool:
    try:
        socket.create_connection(host_of(url), 1).close()
    except ConnectionRefusedError:
        return True
    return False


def test_told_twice(starter: Starter) -> None:
    """Told a second time, a gateway breaks its streams off and ends, with all calls recorded."""
    _, url = starter.simulator()
    gateway = starter.gateway(provider_url=url)
    with Peer(socket.create_connection(host_of(gateway.url))) as peer:
        send(peer, KEY, "m@stall:after=1", stream=True)
        peer.until(b"data: ")
        gateway.call(gateway.master.end)
        gateway.call(gateway.master.end)
        gateway.done.result(SECONDS)
        assert DONE not in peer.rest()
    assert [record.model for record in records(gateway.master.loaded.gateway.store.ledger)] == [
        "m@stall:after=1"
    ]
