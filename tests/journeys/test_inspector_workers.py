"""The inspector of a gateway of two workers shows, holds and ends the calls of both."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from io import BytesIO
from typing import Any

import httpx
import pytest
from mitmproxy.io import FlowReader
from ports import free_ports
from websockets.sync.client import ClientConnection, connect

from llmitm.simulator.server import Simulator
from tests.support.gateway import KEY, Starter
from tests.support.inspector import Flow, Inspecting
from tests.support.valkey import url_of, valkey
from tests.support.wire import Peer
from tests.support.workers import WORKERS, Fleet, post, send, start, until

PROVIDER_KEY = "sk-provider-0123456789"
POLICIES = {"keys": {"keys": [{"id": "dev", "key": KEY}]}}
KEEP = 40


class Ground:
    """A gateway of two workers, a client of each, and an operator who watches."""

    def __init__(self, stack: ExitStack, starter: Starter) -> None:
        self.simulator, url = starter.simulator(tokens=5)
        directory = starter.directory
        page, proxy = (f"127.0.0.1:{port}" for port in free_ports(2))
        self.url, self.proxy = f"http://{page}", f"http://{proxy}"
        self.fleet: Fleet = stack.enter_context(
            start(
                directory,
                "",
                url_of(stack.enter_context(valkey())),
                POLICIES,
                listen={"inspector": page, "intercept": [f"regular@{proxy}"]},
                intercept={"other_hosts": "pass", "ca": "ca"},
                inspector={"keep": KEEP},
                providers={"sim": {"api": "simulator", "base_url": url, "api_key": PROVIDER_KEY}},
            )
        )
        self.operator = Inspecting(self.url)

    def clients(self) -> list[Peer]:
        """A client of each worker, and nothing on the page."""
        peers = list(self.fleet.clients().values())
        self.operator.ended()  # what is on its way would come back
        self.operator.post("/clear")
        return peers


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    starter = Starter(tmp_path_factory.mktemp("inspected"))
    with ExitStack() as stack:
        stack.callback(starter.close)
        yield Ground(stack, starter)


@pytest.fixture
def operator(ground: Ground) -> Iterator[Inspecting]:
    yield ground.operator
    ground.operator.set(intercept=None)


@pytest.fixture
def simulator(ground: Ground) -> Simulator:
    return ground.simulator


def kinds(flows: list[Flow]) -> list[bool]:
    return sorted(flow["comment"].startswith("↳") for flow in flows)


def test_all_calls_are_shown(ground: Ground, operator: Inspecting) -> None:
    """Whichever worker a client got, its call and its attempt are there, and can be read."""
    clients = ground.clients()
    assert [post(peer, KEY).status for peer in clients] == [200] * WORKERS
    shown = operator.ended()
    assert kinds(shown) == [False] * WORKERS + [True] * WORKERS
    for flow in shown:
        assert "── assistant" in operator.text(flow, "response", "LLM")
        exported = operator.post("/commands/export", json={"arguments": ["curl", f"@{flow['id']}"]})
        assert exported.json()["value"].startswith("curl")
    assert operator._http.get("/flows/00000000-0000/request/content.data").status_code == 404
    dump = operator.get("/flows/dump", params={"filter": "~meta 'kind: call'"}).content
    assert len(list(FlowReader(BytesIO(dump)).stream())) == WORKERS
    everything = json.dumps(shown) + operator.get("/flows/dump").text
    assert KEY not in everything and PROVIDER_KEY not in everything


def test_all_calls_can_be_held(ground: Ground, operator: Inspecting, simulator: Simulator) -> None:
    """A filter holds calls in every worker; what is edited is what is sent."""
    clients = ground.clients()
    operator.set(intercept="~b merger")
    seen = len(simulator.requests)
    for peer in clients:
        send(peer, KEY, messages=[{"role": "user", "content": "the merger"}])
    held = operator.wait(lambda f: f["intercepted"], WORKERS)
    assert len(simulator.requests) == seen
    body = {"model": "m", "messages": [{"role": "user", "content": "the report"}]}
    operator.edit(held[0], json.dumps(body))
    operator.post(f"/flows/{held[0]['id']}/resume")
    operator.post(f"/flows/{held[1]['id']}/kill")
    assert sorted(peer.message().status for peer in clients) == [200, 403]
    (sent,) = list(simulator.requests)[seen:]
    assert b"the report" in sent.body


def test_all_calls_can_be_ended(ground: Ground, operator: Inspecting, simulator: Simulator) -> None:
    """A stream ends where it is killed, whichever worker has it."""
    clients = ground.clients()
    for peer in clients:
        send(peer, KEY, model="x@stall:after=3", stream=True)
    for flow in operator.wait(lambda f: "streaming" in f["comment"], WORKERS):
        operator.post(f"/flows/{flow['id']}/kill")
    assert all(b'"code":"killed"' in peer.message().body for peer in clients)


def test_all_calls_can_be_sent_again(ground: Ground, operator: Inspecting) -> None:
    """The worker that had a call sends it again."""
    clients = ground.clients()
    for peer in clients:
        post(peer, KEY)
    for flow in operator.calls():
        operator.post(f"/flows/{flow['id']}/replay")
    operator.wait(lambda f: f["is_replay"] and f["comment"].endswith("200 ok"), WORKERS)


def heard(browser: ClientConnection, kind: str) -> dict[str, Any]:
    """The payload of the next message of a kind."""
    while (message := json.loads(browser.recv(60)))["type"] != kind:
        pass
    return dict(message.get("payload") or {})


def matching(browser: ClientConnection, name: str, count: int) -> set[str]:
    """What a filter matches, once it is so many."""
    while len(found := heard(browser, "flows/filterUpdate")["matching_flow_ids"]) != count:
        pass
    return set(found)


def ask_for(browser: ClientConnection, expression: str) -> None:
    payload = {"name": "search", "expr": expression}
    browser.send(json.dumps({"type": "flows/updateFilter", "payload": payload}))


def test_browsers_hear_of_all_calls(ground: Ground, operator: Inspecting) -> None:
    """One connection tells of the calls of all workers, and what a filter matches in all."""
    clients = ground.clients()
    for peer in clients:
        post(peer, KEY)
    with connect(ground.url.replace("http", "ws") + "/updates") as browser:
        for _ in range(WORKERS):
            heard(browser, "flows/reset")
        ask_for(browser, "~meta 'kind: call'")
        assert matching(browser, "search", WORKERS) == {f["id"] for f in operator.calls()}
        for peer in clients:
            post(peer, KEY, model="news")
        news = set()
        while len(news) < WORKERS:
            payload = heard(browser, "flows/add")
            if payload["matching_filters"]["search"]:
                news.add(payload["flow"]["comment"].split(" · ")[0])
                news.add(payload["flow"]["id"])
        assert "news" in news


def test_memory_is_bounded(ground: Ground, operator: Inspecting) -> None:
    """All workers together keep as many calls as one would."""
    for peer in ground.clients():
        for _ in range(KEEP):
            post(peer, KEY)
    assert len(operator.calls()) == KEEP


def test_a_worker_that_starts_later(ground: Ground, operator: Inspecting) -> None:
    """It holds what the page says, and a browser that is there goes on to see all."""
    operator.set(intercept="~b merger")
    with connect(ground.url.replace("http", "ws") + "/updates") as browser:
        for _ in range(WORKERS):
            heard(browser, "flows/reset")
        before = set(ground.fleet.pids)
        ground.fleet.kill(min(before))
        until(lambda: ground.fleet.complete and len(ground.fleet.pids) == WORKERS)
        heard(browser, "flows/reset")
        clients = list(ground.fleet.clients().values())
        for peer in clients:
            send(peer, KEY, messages=[{"role": "user", "content": "the merger"}])
        operator.wait(lambda f: f["intercepted"], WORKERS)
    operator.post("/flows/kill")
    assert [peer.message().status for peer in clients] == [403] * WORKERS


def test_no_way_in_by_the_proxy(ground: Ground) -> None:
    """The first worker's proxy leads to neither of the supervisor's listeners."""
    with httpx.Client(proxy=ground.proxy) as client:
        for url in (ground.url, ground.fleet.process.admin_url):
            assert client.get(url + "/healthz").status_code == 502
