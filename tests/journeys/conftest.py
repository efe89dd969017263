"""A gateway in front of a simulator that the tests of one file share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from llmitm.simulator.server import Simulator
from tests.support.calls import Watcher, watch
from tests.support.gateway import KEY, Gateway, Starter

PROVIDER_KEY = "sk-provider-of-the-gateway"
MODELS = ("sim-small", "sim-large", "sim-embed")


@dataclass
class Stand:
    """A gateway, its provider and who watches both."""

    gateway: Gateway
    simulator: Simulator
    watcher: Watcher
    key: str = KEY

    @property
    def url(self) -> str:
        return self.gateway.url


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    starter = Starter(tmp_path_factory.mktemp("gateway"))
    try:
        simulator, url = starter.simulator(api_key=PROVIDER_KEY, tokens=12)
        provider = {"api": "simulator", "base_url": url, "api_key": PROVIDER_KEY}
        routes = [
            {"model": name, "targets": [{"provider": "sim", "model": name}]} for name in MODELS
        ]
        routes.append({"model": "*", "targets": [{"provider": "sim"}]})
        prices = [
            {
                "provider": "sim",
                "model": "*",
                "input_per_million": 3,
                "cached_input_per_million": 0.3,
                "output_per_million": 15,
            }
        ]
        gateway = starter.gateway(
            {"providers": {"sim": provider}},
            {
                "routes": {"routes": routes},
                "prices": {"prices": prices},
                "resilience": {"circuit_breaker": {"enabled": False}},
            },
        )
        yield Stand(gateway, simulator, watch(gateway))
    finally:
        starter.close()
