"""The simulator's own API under /_sim/."""

from __future__ import annotations

import aiohttp

from llmitm.simulator import FAULTS, Simulator
from tests.simulator.raw import MESSAGES, Post


async def test_fault(sim: Simulator, http: aiohttp.ClientSession) -> None:
    """Sets, shows and clears the default fault."""
    url = f"{sim.url}/_sim/fault"
    reply = await http.put(url, data="429: retry-after=2")
    assert await reply.json() == {"fault": "429: retry-after=2"}
    assert (await http.get(sim.url)).status == 429
    assert await (await http.get(url)).json() == {"fault": "429: retry-after=2"}
    assert await (await http.delete(url)).json() == {"fault": None}
    assert (await http.get(sim.url)).status == 200


async def test_unknown_fault(sim: Simulator, http: aiohttp.ClientSession) -> None:
    """A fault that is not in the table is refused and changes nothing."""
    sim.fault = "500"
    reply = await http.put(f"{sim.url}/_sim/fault", data="501")
    assert reply.status == 400
    assert "known are ok, 400" in (await reply.json())["error"]
    assert sim.fault == "500"


async def test_requests(sim: Simulator, http: aiohttp.ClientSession, post: Post) -> None:
    """Lists what was asked, without what was asked here, and forgets it."""
    await post("/v1/chat/completions", {"model": "m", "messages": MESSAGES})
    url = f"{sim.url}/_sim/requests"
    (record,) = await (await http.get(url)).json()
    assert (record["method"], record["path"]) == ("POST", "/v1/chat/completions")
    assert '"Hi there"' in record["body"]
    assert record["outcome"] == "sent"
    assert await (await http.delete(url)).json() == []
    assert not sim.requests


async def test_faults(sim: Simulator, http: aiohttp.ClientSession) -> None:
    """Lists the whole table, and what any fault takes."""
    rows = await (await http.get(f"{sim.url}/_sim/faults")).json()
    assert [row["name"] for row in rows] == [*FAULTS, "*"]
    assert rows[-1]["params"].keys() >= {"times", "skip", "tokens"}
    assert next(row for row in rows if row["name"] == "cut")["params"] == {"after": 3}


async def test_unknown_path(sim: Simulator, http: aiohttp.ClientSession) -> None:
    """Anything else is a 404."""
    assert (await http.get(f"{sim.url}/_sim/nothing")).status == 404
    assert (await http.post(f"{sim.url}/_sim/fault")).status == 404
