"""How addons reach the gateway that runs them."""

from __future__ import annotations

from llmitm.runtime import runtime
from tests.support.gateway import Starter


def test_each_gateway_has_its_own(starter: Starter) -> None:
    """An addon that asks gets the parts of the gateway whose call it handles."""

    gateway = starter.gateway(provider_url="http://127.0.0.1:9")
    found = gateway.call(runtime)
    assert found is gateway.master.runtime
    assert found.gateway is gateway.master.loaded.gateway
    assert found.gateway.auth == "required"
