"""A whole gateway process: its start, its policies, its end."""

from __future__ import annotations

import asyncio
import gc
import json
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest

from llmitm.config.load import load
from llmitm.master import GatewayMaster, StartupError, _spare_what_stays
from tests.support.calls import watch
from tests.support.gateway import DEFAULT_POLICIES, KEY, Starter, default_settings, write
from tests.support.logged import logged

AUTH = {"authorization": f"Bearer {KEY}"}
BODY = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
CHAT = "/v1/chat/completions"
STREAM = {**BODY, "stream": True}
NOBODY = "http://127.0.0.1:9"


def test_says_where_it_listens(starter: Starter, capfd: pytest.CaptureFixture[str]) -> None:
    """The log's line for the start has both addresses."""
    with logged(capfd) as log:
        gateway = starter.gateway(provider_url=NOBODY)
        events = [line["event"] for line in log.lines]
    addresses = ["{}:{}".format(*a) for a in (gateway.master.address, gateway.master.admin_address)]
    assert any(all(address in event for address in addresses) for event in events)
    assert not any("nextlayer" in event for event in events)


@pytest.mark.parametrize("listener", ["gateway", "admin"])
def test_taken(starter: Starter, tmp_path: Path, listener: str) -> None:
    """A port that is taken is a reason with a name, and nothing is left running."""
    other = starter.gateway(provider_url=NOBODY)
    address = {"gateway": other.master.address, "admin": other.master.admin_address}[listener]
    settings = default_settings(NOBODY)
    settings["listen"][listener] = "{}:{}".format(*address)
    (tmp_path / "second").mkdir()
    loaded = load(write(tmp_path / "second", settings, DEFAULT_POLICIES), {})

    async def start() -> None:
        await GatewayMaster(loaded, {}).run()

    with pytest.raises(StartupError, match=str(address[1])):
        starter.thread.run(start())
    assert httpx.get(f"{other.admin_url}/readyz").status_code == 200


def test_logging_is_a_policy(starter: Starter, capfd: pytest.CaptureFixture[str]) -> None:
    """An edit of logging.yaml changes level and style of what is logged from then on."""
    _, url = starter.simulator()
    with logged(capfd) as log:
        gateway = starter.gateway(provider_url=url)
        watcher = watch(gateway)
        for calls, level in enumerate(("error", "info"), 1):
            (gateway.policies / "logging.yaml").write_text(json.dumps({"level": level}))
            httpx.post(f"{gateway.admin_url}/admin/config/reload")
            httpx.post(f"{gateway.url}{CHAT}", json=BODY, headers=AUTH)
            watcher.wait(calls)
        assert len(log.calls) == 1


def test_the_cheapest_target_answers(starter: Starter) -> None:
    """The strategy compares the prices in force, those of an edit too."""
    _, url = starter.simulator()
    provider = {"api": "simulator", "base_url": url}
    route = {
        "model": "m",
        "strategy": "cheapest",
        "targets": [{"provider": "dear"}, {"provider": "cheap"}],
    }

    def prices(**usd: int) -> dict[str, Any]:
        return {
            "prices": [
                {"provider": name, "model": "*", "input_per_million": n, "output_per_million": n}
                for name, n in usd.items()
            ]
        }

    gateway = starter.gateway(
        {"providers": {"dear": provider, "cheap": provider}},
        {"routes": {"routes": [route]}, "prices": prices(dear=5, cheap=1)},
    )

    def asked() -> str:
        reply = httpx.post(f"{gateway.url}{CHAT}", json=BODY, headers=AUTH)
        return reply.headers["x-llmitm-target"]

    assert asked() == "cheap/m"
    (gateway.policies / "prices.yaml").write_text(json.dumps(prices(dear=1, cheap=5)))
    httpx.post(f"{gateway.admin_url}/admin/config/reload")
    assert asked() == "dear/m"


def test_calls_end_before_it_does(starter: Starter) -> None:
    """A stream that runs when the gateway is told to end is delivered whole."""
    _, url = starter.simulator(pace=20, tokens=10)
    gateway = starter.gateway(provider_url=url)
    address = gateway.url
    with httpx.stream("POST", f"{address}{CHAT}", json=STREAM, headers=AUTH) as reply:
        lines = reply.iter_lines()
        next(lines)
        gateway.call(gateway.master.end)
        rest = list(lines)
    assert "data: [DONE]" in rest
    gateway.done.result(60)
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{address}/v1/models", headers=AUTH)


def test_hurry(starter: Starter) -> None:
    """Told twice it doesn't wait for streams, and doesn't let them look whole."""
    _, url = starter.simulator(pace=1, tokens=600)
    gateway = starter.gateway(provider_url=url)
    rest = ""
    with (
        suppress(httpx.RemoteProtocolError),
        httpx.stream("POST", f"{gateway.url}{CHAT}", json=STREAM, headers=AUTH) as reply,
    ):
        texts = reply.iter_text()
        next(texts)
        gateway.call(gateway.master.end)
        gateway.call(gateway.master.end)
        for text in texts:
            rest += text
    gateway.done.result(60)  # far sooner than the stream's ten minutes
    assert "[DONE]" not in rest


async def test_before_it_is_ready(tmp_path: Path) -> None:
    """Before the start nothing is served, and a reload does nothing."""
    loaded = load(write(tmp_path, default_settings(NOBODY), DEFAULT_POLICIES), {})
    master = GatewayMaster(loaded, {})
    assert not master.serving
    master.reload()
    await asyncio.to_thread(master.runtime.ledger.close, 5)
    await master.runtime.upstream.close()
    await master.runtime.keyring.identities.close()
    await master.shared.close()


async def test_what_stays_is_not_looked_at_again() -> None:
    """Once a gateway serves, the garbage collector leaves alone what was made until then."""
    ready = asyncio.Event()
    master = cast("GatewayMaster", SimpleNamespace(ready=ready))
    frozen = asyncio.create_task(_spare_what_stays(master))
    await asyncio.sleep(0)
    before = gc.get_freeze_count()
    ready.set()
    await frozen
    try:
        assert gc.get_freeze_count() > before
    finally:
        gc.unfreeze()
