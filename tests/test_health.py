"""Health checks, asked of an upstream that the test plays."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Container, Mapping
from types import SimpleNamespace
from typing import Any, cast

import pytest

from llmitm import health
from llmitm.call import Target
from llmitm.config.schema import Gateway, HealthCheck, Resilience, Route
from llmitm.engine.answer import Answer, UpstreamError
from llmitm.health import HealthChecks, wanted
from llmitm.metrics import Metrics
from llmitm.policy.health import Health
from llmitm.policy.outcome import Failure
from llmitm.runtime import Runtime
from llmitm.targets import Targets
from tests.support.fed import Fed

SECONDS = 60
OFTEN = {"every": 0.001, "failures": 2}


def route(*providers: str, check: dict[str, Any] | None = None) -> Route:
    targets = tuple(Target(name, "m") for name in providers)
    resilience = Resilience.model_validate({"health_check": check})
    return Route(model="m", targets=targets, resilience=resilience)


@pytest.mark.parametrize(
    ("routes", "expected"),
    [
        ([], {}),
        ([route("p")], {}),
        ([route("p", check={})], {"p": HealthCheck()}),
        ([route("p", "q", check={"every": 9})], {n: HealthCheck(every=9) for n in "pq"}),
        ([route("p", check={"every": 9}), route("p")], {"p": HealthCheck(every=9)}),
        (
            [route("p", check={"every": 9}), route("p", check={"every": 3})],
            {"p": HealthCheck(every=3)},
        ),
    ],
)
def test_wanted(routes: list[Route], expected: dict[str, HealthCheck]) -> None:
    """Only providers of routes that ask for it are checked, as often as the most eager wants."""
    assert wanted(routes) == expected


class Played:
    """An upstream with one provider: what it answers is `state`, a status or None for nobody."""

    def __init__(self) -> None:
        self.state: int | None = 200
        self.asked: list[tuple[str, str]] = []
        self._more = asyncio.Event()

    async def send(
        self, method: str, url: str, headers: Mapping[str, str], body: Any, connect: float
    ) -> Answer:
        assert body is None
        self.asked.append((method, url))
        self._more.set()
        if self.state is None:
            raise UpstreamError(Failure.CONNECT, "refused")
        return Fed.whole(b"{}", status=self.state)

    async def checks(self, count: int) -> None:
        """Until so many more checks were answered: the next one is asked after it."""
        until = len(self.asked) + count + 1
        async with asyncio.timeout(SECONDS):
            while len(self.asked) < until:
                self._more.clear()
                await self._more.wait()


@pytest.fixture
def played() -> Played:
    return Played()


@pytest.fixture
async def runtime(played: Played, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Any]:
    monkeypatch.setattr(health, "TICK_SECONDS", 0.0005)
    providers = {"p": {"api": "openai", "base_url": "http://p/v1"}, "q": {"api": "simulator"}}
    gateway = Gateway.model_validate(
        {"providers": providers, "store": {"ledger": "sqlite:///:memory:"}}
    )
    metrics = Metrics()
    routes = (route("p", check=OFTEN), route("q"))
    runtime = SimpleNamespace(
        gateway=gateway,
        metrics=metrics,
        upstream=played,
        targets=Targets(gateway, metrics),
        policies=SimpleNamespace(routes=routes),
    )
    running = asyncio.create_task(HealthChecks(cast("Runtime", runtime)).run())
    yield runtime
    running.cancel()
    await asyncio.wait([running])


def up(runtime: Any) -> float | None:
    value: float | None = runtime.metrics.registry.get_sample_value(
        "llmitm_provider_up", {"provider": "p"}
    )
    return value


async def test_asks_without_tokens(played: Played, runtime: Any) -> None:
    """A check is a GET of the list of models, of no provider that nobody wants checked."""
    await played.checks(1)
    assert set(played.asked) == {("GET", "http://p/v1/models")}
    assert up(runtime) == 1


@pytest.mark.parametrize("state", [None, 500, 503])
async def test_down_and_up_again(played: Played, runtime: Any, state: int | None) -> None:
    """A provider that fails its checks is down until it answers one."""
    played.state = state
    await played.checks(3)
    assert (runtime.targets.health.down, up(runtime)) == ({"p"}, 0)
    played.state = 200
    await played.checks(2)
    assert (runtime.targets.health.down, up(runtime)) == (set(), 1)


@pytest.mark.parametrize("state", [401, 403, 404, 429])
async def test_who_answers_is_up(played: Played, runtime: Any, state: int) -> None:
    """A key that may not list the models, or a server that has no list, is no outage."""
    played.state = state
    await played.checks(3)
    assert runtime.targets.health.down == set()


class Forgetting(Health):
    """Says when it has heard who is checked."""

    def __init__(self) -> None:
        super().__init__()
        self.heard = asyncio.Event()

    def forget_others(self, checked: Container[str]) -> None:
        super().forget_others(checked)
        self.heard.set()


async def test_follows_the_policies(played: Played, runtime: Any) -> None:
    """Checks that are turned off stop, and leave nobody out."""
    played.state = None
    runtime.targets.health = known = Forgetting()
    await played.checks(3)
    assert known.down == {"p"}
    runtime.policies = SimpleNamespace(routes=(route("p"),))
    async with asyncio.timeout(SECONDS):
        await known.heard.wait()
    asked = len(played.asked)
    await asyncio.sleep(0.01)
    assert (known.down, len(played.asked)) == (set(), asked)
