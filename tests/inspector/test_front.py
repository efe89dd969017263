"""One page for the inspectors of several workers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from llmitm.config.load import Loaded, load
from llmitm.config.secret import Secret
from tests.support.gateway import DEFAULT_POLICIES, default_settings, write
from tests.support.inspectors import Fleet, serving


@pytest.fixture
def loaded(tmp_path: Path) -> Loaded:
    settings = default_settings("http://127.0.0.1:9")
    settings["listen"]["inspector"] = "127.0.0.1:0"
    return load(write(tmp_path, settings, DEFAULT_POLICIES), {})


@pytest.fixture
async def fleet(loaded: Loaded, tmp_path: Path) -> AsyncIterator[Fleet]:
    async with serving(loaded, tmp_path) as fleet:
        yield fleet


async def ask(fleet: Fleet, method: str, path: str, **more: Any) -> httpx.Response:
    """What a page that was loaded gets."""
    async with httpx.AsyncClient(base_url=fleet.url) as page:
        await page.get("/")
        page.headers["x-xsrftoken"] = page.cookies["_mitmproxy_xsrf"]
        return await page.request(method, path, **more)


async def test_the_page_is_its_own(fleet: Fleet) -> None:
    """No worker is asked for what the page looks like."""
    assert "<title>llmitm inspector</title>" in (await ask(fleet, "GET", "/")).text
    assert (await ask(fleet, "GET", "/filter-help")).json()["commands"]
    assert fleet.asked() == [[], []]


async def test_lists_are_joined(fleet: Fleet) -> None:
    """Calls of all workers stand in the order of their time."""
    fleet.workers[0].answer = [{"id": "3", "timestamp_created": 3}]
    fleet.workers[1].answer = [{"id": str(at), "timestamp_created": at} for at in (2, 4)]
    assert [flow["id"] for flow in (await ask(fleet, "GET", "/flows")).json()] == ["2", "3", "4"]


@pytest.mark.parametrize("at", [0, 1])
async def test_who_has_a_flow_answers(fleet: Fleet, at: int) -> None:
    """The others don't know it."""
    fleet.workers[at].answer = {"text": "mine"}
    fleet.workers[1 - at].status = 404
    reply = await ask(fleet, "GET", "/flows/00-ab/request/content/auto?lines=5")
    assert (reply.status_code, reply.json()) == (200, {"text": "mine"})
    assert fleet.asked()[0] == [("GET", "/flows/00-ab/request/content/auto?lines=5", "")]


async def test_a_flow_that_nobody_has(fleet: Fleet) -> None:
    """It is not found."""
    for worker in fleet.workers:
        worker.status = 404
    assert (await ask(fleet, "DELETE", "/flows/00-ab")).status_code == 404


async def test_commands(fleet: Fleet) -> None:
    """Of several answers the one that says something is taken."""
    fleet.workers[0].answer = {"error": "no flows"}
    fleet.workers[1].answer = {"value": "curl …"}
    reply = await ask(fleet, "POST", "/commands/export", json={"arguments": ["curl", "@00-ab"]})
    assert reply.json() == {"value": "curl …"}


@pytest.mark.parametrize("path", ["/clear", "/flows/resume", "/flows/kill"])
async def test_all_are_told(fleet: Fleet, path: str) -> None:
    """What is for all flows is for all workers, and one that can't is not kept quiet."""
    fleet.workers[1].status = 500
    assert (await ask(fleet, "POST", path)).status_code == 500
    assert fleet.asked() == [[("POST", path, "")]] * 2


async def test_options(fleet: Fleet) -> None:
    """All workers hold by the same filter; one of them is asked for it."""
    assert (await ask(fleet, "PUT", "/options", json={"intercept": "~q"})).status_code == 200
    assert fleet.asked() == [[("PUT", "/options", '{"intercept":"~q"}')]] * 2
    fleet.workers[0].answer = {"intercept": {"value": "~q"}}
    assert (await ask(fleet, "GET", "/options")).json() == {"intercept": {"value": "~q"}}


async def test_files(fleet: Fleet) -> None:
    """A file that is saved has the flows of all; one that is opened is shown by the first."""
    fleet.workers[0].answer, fleet.workers[1].answer = 1, 2
    assert (await ask(fleet, "GET", "/flows/dump?filter=~q")).text in ("12", "21")
    for worker in fleet.workers:
        worker.asked.clear()
    assert (await ask(fleet, "POST", "/flows/dump", content=b"flows")).status_code == 200
    assert fleet.asked() == [[("POST", "/flows/dump", "flows")], [("POST", "/clear", "")]]


async def test_no_worker(fleet: Fleet) -> None:
    """While there is none the page says so."""
    fleet.sockets.clear()
    assert (await ask(fleet, "GET", "/flows")).status_code == 503
    assert (await ask(fleet, "POST", "/flows/dump", content=b"flows")).status_code == 503


async def test_a_worker_that_is_gone(fleet: Fleet, tmp_path: Path) -> None:
    """One that doesn't answer is not taken for one without calls."""
    fleet.sockets.append(tmp_path / "gone.sock")
    assert (await ask(fleet, "GET", "/flows")).status_code == 503
    assert (await ask(fleet, "POST", "/flows/dump", content=b"flows")).status_code == 503


async def test_other_sites_are_kept_out(fleet: Fleet) -> None:
    """Neither by a name that leads here, nor by a form, nor without the page's token."""
    async with httpx.AsyncClient(base_url=fleet.url) as other:
        assert (await other.get("/flows", headers={"host": "evil.example"})).status_code == 404
        assert (await other.post("/clear")).status_code == 403
    from_elsewhere = {"sec-fetch-site": "cross-site"}
    assert (await ask(fleet, "POST", "/clear", headers=from_elsewhere)).status_code >= 400
    assert fleet.asked() == [[], []]


@pytest.mark.parametrize("path", ["/flows", "/updates", "/flows/dump", "/flows/00-ab", "/options"])
async def test_a_password_is_asked_for(loaded: Loaded, tmp_path: Path, path: str) -> None:
    """Here, since workers ask for none."""
    inspector = loaded.gateway.inspector.model_copy(update={"password": Secret("hunter22")})
    gateway = loaded.gateway.model_copy(update={"inspector": inspector})
    async with (
        serving(replace(loaded, gateway=gateway), tmp_path) as fleet,
        httpx.AsyncClient(base_url=fleet.url) as client,
    ):
        for worker in fleet.workers:
            worker.answer = []
        assert (await client.get(path)).status_code == 403
        assert fleet.asked() == [[], []]
        token = {"authorization": "Bearer hunter22"}
        assert (await client.get("/flows", headers=token)).status_code == 200
