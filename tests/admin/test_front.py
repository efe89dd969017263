"""The admin listener of a gateway of several workers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from prometheus_client.core import GaugeMetricFamily, Metric

from llmitm.admin.front import serving
from llmitm.admin.server import listening
from llmitm.config.load import Loaded, load
from llmitm.config.secret import Secret
from tests.support.gateway import DEFAULT_POLICIES, default_settings, write

TARGET = {"target": "sim/a", "state": "closed", "in_flight": 1}


class Worker:
    """Answers the admin API on a Unix socket, and keeps what it was asked."""

    def __init__(self, socket: Path) -> None:
        self.socket = socket
        self.status = 200
        self.asked: list[tuple[str, str, str]] = []
        self.app = web.Application()
        self.app.router.add_route("*", "/{path:.*}", self.answer)

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.text()
        self.asked.append((request.method, str(request.rel_url), body))
        if request.path == "/gone":
            raise web.HTTPNotFound
        if request.method == "DELETE":
            return web.Response(status=204)
        detail = {"ledger": "ok"}
        answer = {"targets": [TARGET], "detail": detail, "worker": self.socket.stem}
        return web.json_response(answer, status=self.status)


class Fleet:
    """Two workers, as a supervisor has them."""

    def __init__(self, loaded: Loaded, folder: Path) -> None:
        self.loaded = loaded
        self.drained: set[str] = set()
        self.stopping = asyncio.Event()
        self.workers = [Worker(folder / f"{name}.sock") for name in ("a", "b")]
        self.sockets = [worker.socket for worker in self.workers]
        self.address = ("", 0)

    async def metrics(self) -> Iterable[Metric]:
        return [GaugeMetricFamily("llmitm_in_flight", "Calls.", 7)]

    async def ask(self, method: str, path: str, **more: Any) -> tuple[int, Any]:
        url = "http://{}:{}".format(*self.address) + path
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, url, **more) as reply,
        ):
            return reply.status, await reply.json() if "json" in reply.content_type else None

    def asked(self) -> list[list[tuple[str, str, str]]]:
        return [worker.asked for worker in self.workers]


@pytest.fixture
def loaded(tmp_path: Path) -> Loaded:
    store = {"ledger": "sqlite:///ledger.db", "shared": "redis://127.0.0.1:1/0"}
    settings = {**default_settings("http://127.0.0.1:9"), "workers": 2, "store": store}
    return load(write(tmp_path, settings, DEFAULT_POLICIES), {})


@pytest.fixture
async def fleet(loaded: Loaded, tmp_path: Path) -> AsyncIterator[Fleet]:
    fleet = Fleet(loaded, tmp_path)
    async with AsyncExitStack() as stack:
        for worker in fleet.workers:
            runner = await stack.enter_async_context(listening(worker.app))
            await web.UnixSite(runner, worker.socket).start()
        fleet.address = await stack.enter_async_context(serving(fleet))
        yield fleet


async def test_health(fleet: Fleet) -> None:
    """Is alive without a worker, and ready with one."""
    assert await fleet.ask("GET", "/healthz") == (200, {"status": "ok"})
    status, answer = await fleet.ask("GET", "/readyz")
    assert (status, answer["status"]) == (200, "ready")
    assert answer["detail"] == {"workers": "2 of 2 ready", "ledger": "ok"}
    fleet.workers[0].status = 503
    status, answer = await fleet.ask("GET", "/readyz")
    assert (status, answer["detail"]["workers"]) == (200, "1 of 2 ready")
    fleet.sockets.clear()
    status, answer = await fleet.ask("GET", "/readyz")
    assert (status, answer["status"]) == (503, "starting")
    assert await fleet.ask("GET", "/healthz") == (200, {"status": "ok"})


async def test_not_ready_while_draining(fleet: Fleet) -> None:
    """A load balancer hears at once that no new calls are wanted."""
    fleet.stopping.set()
    status, answer = await fleet.ask("GET", "/readyz")
    assert (status, answer["status"]) == (503, "draining")


@pytest.mark.parametrize("accept", ["", "application/openmetrics-text; version=1.0.0"])
async def test_metrics(fleet: Fleet, accept: str) -> None:
    """The numbers are those of all workers, in the format that is asked for."""
    url = "http://{}:{}/metrics".format(*fleet.address)
    async with (
        aiohttp.ClientSession() as session,
        session.get(url, headers={"accept": accept}) as reply,
    ):
        assert "llmitm_in_flight 7.0" in await reply.text()
        assert reply.headers["content-type"].startswith(accept.partition(";")[0] or "text/plain")


async def test_one_answers(fleet: Fleet) -> None:
    """What any worker knows is asked of one, and its answer passed on as it is."""
    status, answer = await fleet.ask("GET", "/admin/usage?by=key")
    assert (status, answer["worker"]) == (200, "a")
    assert fleet.asked() == [[("GET", "/admin/usage?by=key", "")], []]
    status, _ = await fleet.ask("GET", "/gone")
    assert status == 404


async def test_changes(fleet: Fleet) -> None:
    """What one worker changes, the others take over before the answer is given."""
    status, answer = await fleet.ask("POST", "/admin/keys", json={"id": "ci"})
    assert (status, answer["worker"]) == (200, "a")
    status, answer = await fleet.ask("DELETE", "/admin/keys/ci")
    assert status == 204
    refresh = ("POST", "/admin/keys/refresh", "")
    assert fleet.asked() == [
        [("POST", "/admin/keys", '{"id": "ci"}'), ("DELETE", "/admin/keys/ci", "")],
        [refresh, refresh],
    ]


async def test_targets(fleet: Fleet) -> None:
    """All workers are asked for their targets."""
    status, answer = await fleet.ask("GET", "/admin/targets")
    assert (status, answer["targets"]) == (200, [{**TARGET, "in_flight": 2}])


async def test_draining_targets(fleet: Fleet) -> None:
    """All workers drain a target, and those that start later are to know."""
    change = {"target": "sim/a", "action": "drain"}
    assert (await fleet.ask("POST", "/admin/targets", json=change))[0] == 200
    assert [len(asked) for asked in fleet.asked()] == [1, 1]
    assert fleet.drained == {"sim/a"}
    fleet.workers[1].status = 404
    undrain = {"target": "sim/a", "action": "undrain"}
    assert (await fleet.ask("POST", "/admin/targets", json=undrain))[0] == 404
    assert fleet.drained == {"sim/a"}
    fleet.workers[1].status = 200
    await fleet.ask("POST", "/admin/targets", json=undrain)
    assert fleet.drained == set()


async def test_reload(fleet: Fleet) -> None:
    """All workers read the policies; one that refuses is heard."""
    assert (await fleet.ask("POST", "/admin/config/reload"))[0] == 200
    fleet.workers[1].status = 400
    assert (await fleet.ask("POST", "/admin/config/reload"))[0] == 400


async def test_no_worker(fleet: Fleet) -> None:
    """Says so where no worker is there, or the one that is asked dies."""
    fleet.sockets[:] = [fleet.sockets[0].with_name("nobody.sock")]
    status, answer = await fleet.ask("GET", "/admin/usage")
    assert (status, list(answer)) == (502, ["error"])
    fleet.sockets.clear()
    status, answer = await fleet.ask("GET", "/admin/targets")
    assert (status, list(answer)) == (503, ["error"])


async def test_token(loaded: Loaded, tmp_path: Path) -> None:
    """Without the admin token only health and metrics are answered."""
    gateway = loaded.gateway.model_copy(update={"admin_token": Secret("let-me-in")})
    fleet = Fleet(replace(loaded, gateway=gateway), tmp_path)
    fleet.sockets.clear()
    async with serving(fleet) as fleet.address:
        assert (await fleet.ask("GET", "/admin/usage"))[0] == 401
        assert (await fleet.ask("GET", "/metrics"))[0] == 200
        right = {"authorization": "Bearer let-me-in"}
        assert (await fleet.ask("GET", "/admin/usage", headers=right))[0] == 503
