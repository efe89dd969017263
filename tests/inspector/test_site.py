"""The web server: who gets in, and what is there."""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from llmitm.config.address import Address
from llmitm.inspector.desk import Desk
from llmitm.inspector.live import Live
from llmitm.inspector.replay import Replays
from llmitm.inspector.site import Site
from tests.support.inspected import book


@asynccontextmanager
async def serving(host: str = "127.0.0.1", password: str | None = None) -> AsyncIterator[Site]:
    diary, holds = book()
    live = Live(diary)
    desk = Desk(diary, holds, Replays(diary, None), live)  # type: ignore[arg-type]
    site = Site(desk, live, Address(host, 0), password)
    site.bind()
    site.start()
    try:
        yield site
    finally:
        await site.stop()


async def get(site: Site, path: str = "flows", **headers: str) -> httpx.Response:
    async with httpx.AsyncClient() as client:
        return await client.get(f"http://127.0.0.1:{site.address[1]}/{path}", headers=headers)


async def test_loopback_needs_no_log_in() -> None:
    """Who is on this machine sees the page, with our style."""
    async with serving() as site:
        assert (await get(site)).json() == []
        page = await get(site, "")
        assert "<title>llmitm inspector</title>" in page.text
        assert 'href="page.css"' in page.text
        assert "text/css" in (await get(site, "page.css")).headers["content-type"]


@pytest.mark.parametrize("name", ["evil.example", "127.0.0.1.evil.example", "localhost.evil"])
async def test_other_names_are_not_served(name: str) -> None:
    """A page of another site whose name leads here by DNS reads nothing."""
    async with serving() as site:
        assert (await get(site, host=name)).status_code == 404
        assert (await get(site, host="localhost")).status_code == 200


async def test_a_password_is_asked_for() -> None:
    """In the log-in form, as a token in the URL, or as a bearer."""
    async with serving(password="hunter22") as site:
        assert (await get(site)).status_code == 403
        assert (await get(site, "flows?token=wrong")).status_code == 403
        assert (await get(site, "flows?token=hunter22")).status_code == 200
        assert (await get(site, authorization="Bearer hunter22")).status_code == 200
        assert "password" in (await get(site, "")).text


async def test_off_loopback_a_token_is_made(caplog: pytest.LogCaptureFixture) -> None:
    """Without a password everyone would get in, so one is generated and shown at the start."""
    with caplog.at_level(logging.WARNING):
        async with serving("0.0.0.0") as site:
            found = re.search(r"\?token=(\S+)", caplog.text)
            assert found is not None
            assert (await get(site)).status_code == 403
            assert (await get(site, f"flows?token={found[1]}")).status_code == 200


@pytest.mark.parametrize("path", ["processes", "executable-icon?path=/bin/sh"])
async def test_the_machine_is_not_shown(path: str) -> None:
    """mitmweb's list of running programs is left out."""
    async with serving() as site:
        assert (await get(site, path)).status_code == 404


async def test_other_sites_can_not_post() -> None:
    """Changes need the page's token against cross-site requests."""
    async with serving() as site, httpx.AsyncClient(base_url=site.url) as client:
        assert (await client.post("/clear")).status_code == 403
        await client.get("/")
        token = client.cookies["_mitmproxy_xsrf"]
        assert (await client.post("/clear", headers={"x-xsrftoken": token})).status_code == 200


async def test_a_taken_port() -> None:
    """Raises OSError where the port is another's."""
    async with serving() as site:
        other = Site(site._desk, site._live, Address("127.0.0.1", site.address[1]), None)
        with pytest.raises(OSError, match="in use"):
            other.bind()


async def test_one_worker_of_several(tmp_path: Path) -> None:
    """On a socket of its own it asks for nothing: only this user's processes get there."""
    path = tmp_path / "ui.inspector"
    diary, holds = book()
    live = Live(diary)
    desk = Desk(diary, holds, Replays(diary, None), live)  # type: ignore[arg-type]
    site = Site(desk, live, Address("0.0.0.0", 4002), "hunter22", path)
    site.bind()
    site.start()
    try:
        assert path.stat().st_mode & 0o077 == 0
        transport = httpx.AsyncHTTPTransport(uds=str(path))
        async with httpx.AsyncClient(transport=transport, base_url="http://any") as client:
            assert (await client.get("/flows")).json() == []
            assert (await client.post("/clear")).status_code == 200
    finally:
        await site.stop()


def test_urls() -> None:
    """An IPv6 address stands in brackets."""
    site = Site(None, None, Address("::1", 4002), None)  # type: ignore[arg-type]
    assert site.url == "http://[::1]:4002/"


async def test_scripts() -> None:
    """The page's own script comes changed; one that isn't there is not found."""
    async with serving() as site:
        source = re.findall(r"static/(index-[\w-]+\.js)", (await get(site, "")).text)[0]
        reply = await get(site, f"static/{source}")
        assert '.replaceAll("~meta","~comment")' in reply.text
        assert "text/javascript" in reply.headers["content-type"]
        assert (await get(site, "static/index-gone.js")).status_code == 404
