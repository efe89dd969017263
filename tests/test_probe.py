from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from llmitm import probe as module
from llmitm.config.schema import Provider
from llmitm.engine.upstream import Upstream
from llmitm.probe import Reached, probe
from llmitm.simulator.server import Simulator
from llmitm.simulator.settings import Settings


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    upstream = Upstream()
    yield upstream
    await upstream.close()


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    simulator = Simulator(Settings(api_key="sk-right"))
    await simulator.start()
    yield simulator
    await simulator.stop()


def provider(api: str, url: str, key: str | None = "sk-right") -> Provider:
    return Provider.model_validate({"api": api, "base_url": url, "api_key": key})


@pytest.mark.parametrize(
    ("api", "suffix", "path"),
    [
        ("openai", "/v1", "/v1/models"),
        ("anthropic", "", "/v1/models"),
        ("ollama", "", "/api/version"),
        ("simulator", "", "/api/version"),
    ],
)
async def test_reached(
    upstream: Upstream, simulator: Simulator, api: str, suffix: str, path: str
) -> None:
    """A provider that answers with our key is reached, by a request that spends no token."""
    url = simulator.url + suffix
    reached = await probe(upstream, provider(api, url), url)
    assert reached == Reached(200)
    assert reached.ok
    assert [(r.method, r.path) for r in simulator.requests] == [("GET", path)]


async def test_refused(upstream: Upstream, simulator: Simulator) -> None:
    """A provider that refuses our key is there and can't be used."""
    url = f"{simulator.url}/v1"
    reached = await probe(upstream, provider("openai", url, "sk-wrong"), url)
    assert (reached.refused, reached.ok) == (True, False)


async def test_headers_of_the_configuration(upstream: Upstream, simulator: Simulator) -> None:
    """A credential that stands in a header is sent too."""
    fields = {"api": "openai", "base_url": simulator.url, "headers": {"api-key": "sk-right"}}
    reached = await probe(upstream, Provider.model_validate(fields), f"{simulator.url}/v1")
    assert simulator.requests[-1].headers["api-key"] == "sk-right"
    assert reached.fault is None


async def test_nobody_there(upstream: Upstream, simulator: Simulator) -> None:
    """A provider that is away is not reached, and the reason is told."""
    url = simulator.url
    await simulator.stop()
    reached = await probe(upstream, provider("ollama", url), url)
    assert (reached.ok, reached.status, bool(reached.fault)) == (False, None, True)


async def test_silence(
    upstream: Upstream, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A provider that says nothing is given up on."""
    monkeypatch.setattr(module, "SECONDS", 0.05)
    simulator.fault = "silence"
    reached = await probe(upstream, provider("ollama", simulator.url), simulator.url)
    assert reached == Reached(fault="no answer")


@pytest.mark.parametrize(("status", "ok"), [(200, True), (404, True), (401, False), (500, False)])
def test_ok(status: int, ok: bool) -> None:
    """A missing list of models does no harm; a failing server does."""
    assert Reached(status).ok is ok
