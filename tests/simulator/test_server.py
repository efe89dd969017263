"""The server around the dialects: keys, records, paths, stopping."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import aiohttp
import pytest

from llmitm.simulator import Settings, Simulator, UnknownFault, serve
from tests.simulator.raw import MESSAGES, Connection, Post, Start

ASK: dict[str, Any] = {"model": "m", "messages": MESSAGES, "max_tokens": 9}


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/v1/chat/completions", {}, 401),
        ("/v1/chat/completions", {"authorization": "Bearer wrong"}, 401),
        ("/v1/chat/completions", {"authorization": "Bearer right"}, 200),
        ("/v1/chat/completions", {"api-key": "right"}, 200),
        ("/v1/messages", {"x-api-key": "wrong"}, 401),
        ("/v1/messages", {"x-api-key": "right"}, 200),
        ("/v1/messages", {"authorization": "Bearer right"}, 200),
        ("/api/chat", {}, 401),
        ("/api/chat", {"authorization": "Bearer right"}, 200),
    ],
)
async def test_keys(
    start: Start, http: aiohttp.ClientSession, path: str, headers: dict[str, str], status: int
) -> None:
    """With a key set, another key or none is a 401."""
    sim = await start(Settings(api_key="right"))
    async with http.post(sim.url + path, json=ASK, headers=headers) as reply:
        assert reply.status == status


async def test_header_fault(post: Post) -> None:
    """The header wins over the model's name and keeps its own count."""
    asked = {**ASK, "model": "m@500"}
    spec = "429; retry-after=2; times=1"
    first = await post("/v1/chat/completions", asked, x_sim_fault=spec)
    assert (first.status, first.headers["retry-after"]) == (429, "2")
    assert (await post("/v1/chat/completions", asked, x_sim_fault=spec)).status == 200
    assert (await post("/v1/chat/completions", asked)).status == 500


async def test_default_fault(sim: Simulator, post: Post, http: aiohttp.ClientSession) -> None:
    """Set on the object it goes for every path, and can be cleared."""
    sim.fault = "503"
    assert (await post("/v1/messages", ASK)).status == 503
    assert (await http.get(f"{sim.url}/v1/models")).status == 503
    with pytest.raises(UnknownFault):
        sim.fault = "nothing"
    sim.fault = None
    assert (await post("/v1/messages", ASK)).status == 200


async def test_unknown_fault_is_a_400(post: Post) -> None:
    """A slip in a model's fault is told, not passed over."""
    reply = await post("/v1/chat/completions", {**ASK, "model": "m@429s"})
    assert reply.status == 400
    assert "unknown fault '429s'" in (await reply.json())["error"]["message"]


async def test_records(sim: Simulator, post: Post) -> None:
    """Each request is noted as it came in, with what became of it."""
    await post("/v1/chat/completions?x=1", {**ASK, "stream": True}, x_a="b")
    await post("/v1/chat/completions", {**ASK, "model": "m@429"})
    await sim.settled()
    one, two = sim.requests
    assert (one.method, one.path, one.headers["x-a"]) == ("POST", "/v1/chat/completions?x=1", "b")
    assert json.loads(one.body)["messages"] == MESSAGES
    assert (one.size, one.model, one.fault) == (len(one.body), "m", "ok")
    assert (one.status, one.outcome, one.tokens) == (200, "sent", 9)
    assert (two.status, two.outcome, two.fault) == (429, "sent", "429")
    assert one.time <= two.time <= time.time()
    assert (sim.total, sim.active) == (2, 0)
    sim.reset()
    assert (len(sim.requests), sim.total) == (0, 0)


async def test_records_are_bounded(start: Start, http: aiohttp.ClientSession) -> None:
    """Only the latest requests are kept, and only the start of a long body."""
    sim = await start(Settings(keep=2, keep_body=10))
    for _ in range(3):
        await http.post(f"{sim.url}/v1/chat/completions", json=ASK)
    assert sim.total == 3
    assert len(sim.requests) == 2
    assert len(sim.requests[0].body) == 10 < sim.requests[0].size


async def test_gone_client_is_noticed(sim: Simulator, connection: Connection) -> None:
    """A client that leaves in the middle of a stream ends it."""
    await connection.post("/api/chat", {**ASK, "model": "m@ok:tokens=1000,pace=50"})
    await connection.read_until(b'"done":false')
    connection.close()
    await sim.settled()
    assert sim.requests[0].outcome == "gone"
    assert 1 <= sim.requests[0].tokens < 1000


async def test_stop_ends_everything(start: Start) -> None:
    """Stopping waits for no one: silent, stalled and idle connections are closed."""
    sim = await start(Settings())
    host, port = sim.url.removeprefix("http://").split(":")
    opened = [Connection(*await asyncio.open_connection(host, int(port))) for _ in range(3)]
    await opened[0].post("/v1/messages", {**ASK, "model": "m@silence"})
    await opened[1].post("/v1/messages", {**ASK, "model": "m@stall", "stream": True})
    await sim.arrived(2)
    await sim.stop()
    assert sim.active == 0
    for connection in opened:
        await connection.read_all()
        connection.close()
    with pytest.raises(OSError, match="Connect"):
        await asyncio.open_connection(host, int(port))


async def test_starts_again_on_its_port(start: Start, http: aiohttp.ClientSession) -> None:
    """A provider that was down comes back where it was."""
    sim = await start(Settings())
    url, port = sim.url, int(sim.url.rpartition(":")[2])
    await sim.stop()
    assert await sim.start(port=port) == url
    assert (await http.get(url)).status == 200


async def test_latency_and_pace(start: Start, http: aiohttp.ClientSession) -> None:
    """Waits before the first byte, and between tokens."""
    sim = await start(Settings(latency=0.1, pace=50, tokens=6))
    before = time.monotonic()
    reply = await http.post(f"{sim.url}/v1/messages", json={**ASK, "stream": True})
    assert time.monotonic() - before > 0.05
    await reply.read()
    assert time.monotonic() - before > 0.1 + 4 / 50


@pytest.mark.parametrize(
    ("path", "keys"),
    [
        ("/v1/nothing", {"error"}),
        ("/v1/messages/nothing", {"type", "error", "request_id"}),
        ("/api/nothing", {"error"}),
    ],
)
async def test_unknown_paths(post: Post, path: str, keys: set[str]) -> None:
    """A path that no one knows is a 404 in the dialect it looks like."""
    reply = await post(path, {})
    assert reply.status == 404
    assert (await reply.json()).keys() == keys


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff"])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages", "/api/chat"])
async def test_broken_json(
    sim: Simulator, http: aiohttp.ClientSession, path: str, body: bytes
) -> None:
    """A body that is no JSON object is a 400."""
    assert (await http.post(sim.url + path, data=body)).status == 400


async def test_head(sim: Simulator, http: aiohttp.ClientSession) -> None:
    """HEAD is GET without a body, as Ollama's clients use it to look for the server."""
    reply = await http.head(sim.url)
    assert (reply.status, reply.headers["content-length"]) == (200, "17")
    assert (await (await http.get(sim.url)).text()) == "Ollama is running"


async def test_compressed_body(sim: Simulator, http: aiohttp.ClientSession) -> None:
    """A compressed request is read as any other."""
    reply = await http.post(f"{sim.url}/v1/messages", json=ASK, compress="gzip")
    assert reply.status == 200


async def test_expect_continue(sim: Simulator, http: aiohttp.ClientSession) -> None:
    """A client that waits for leave to send its body gets it."""
    reply = await http.post(f"{sim.url}/v1/messages", json=ASK, expect100=True)
    assert reply.status == 200


@pytest.mark.parametrize(
    ("path", "header"),
    [("/v1/chat/completions", "x-request-id"), ("/v1/messages", "request-id")],
)
async def test_request_ids(post: Post, path: str, header: str) -> None:
    """Each reply has an id under the name that its dialect has for it."""
    ids = {(await post(path, ASK)).headers[header] for _ in range(2)}
    assert len(ids) == 2


async def test_connections_are_kept(sim: Simulator, connection: Connection) -> None:
    """One connection serves whole replies, streams and refusals in turn."""
    for body in (ASK, {**ASK, "stream": True}, {**ASK, "model": "m@429"}, ASK):
        await connection.post("/v1/chat/completions", body)
        await connection.read_until(b"[DONE]\n\n\r\n0\r\n\r\n" if body.get("stream") else b"}}")
    assert sim.total == 4


async def test_serve_runs_until_cancelled(http: aiohttp.ClientSession) -> None:
    """`serve` says where it listens, answers, and frees its port when it is cancelled."""
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    running = asyncio.create_task(serve(settings=Settings(), ready=ready.set_result))
    url = await ready
    assert (await http.get(url)).status == 200
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    with pytest.raises(aiohttp.ClientConnectionError):
        await http.get(url)
