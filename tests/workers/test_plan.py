"""What each worker does of what the configuration asks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from llmitm.config.address import Address
from llmitm.config.load import Loaded
from llmitm.workers.plan import MEMORY_LEDGER, of_worker, warnings

ADDRESS = Address("127.0.0.1", 4321)


def changed(loaded: Loaded, listen: dict[str, Any], **store: Any) -> Loaded:
    gateway = loaded.gateway
    update = {
        "listen": gateway.listen.model_copy(update=listen),
        "store": gateway.store.model_copy(update=store),
    }
    return replace(loaded, gateway=gateway.model_copy(update=update))


def test_a_share_of_the_listeners(loaded: Loaded) -> None:
    """All listen where the gateway does; mitmproxy's own listeners are the first one's."""
    inspector = Address("127.0.0.1", 4002)
    given = changed(loaded, {"intercept": ("regular@8080",)})
    listen = given.gateway.listen.model_copy(update={"gateway": ADDRESS, "inspector": inspector})
    plans = [of_worker(given, index, listen).gateway.listen for index in range(3)]
    assert {plan.gateway for plan in plans} == {ADDRESS}
    assert [plan.intercept for plan in plans] == [("regular@8080",), (), ()]
    assert {plan.inspector for plan in plans} == {inspector}


def test_a_share_of_the_calls_that_are_shown(loaded: Loaded) -> None:
    """Together the workers keep as many as the configuration says, or a few more."""
    gateway = loaded.gateway.model_copy(update={"workers": 3})
    plan = of_worker(replace(loaded, gateway=gateway), 0, gateway.listen)
    assert (gateway.inspector.keep, plan.gateway.inspector.keep) == (500, 167)


def test_everything_else_is_the_same(loaded: Loaded) -> None:
    """A worker's configuration differs in nothing else."""
    listen = loaded.gateway.listen.model_copy(update={"gateway": ADDRESS})
    plan = of_worker(loaded, 1, listen)
    assert replace(plan, gateway=loaded.gateway) == loaded
    same = {"listen": loaded.gateway.listen, "inspector": loaded.gateway.inspector}
    assert plan.gateway.model_copy(update=same) == loaded.gateway


def test_warnings(loaded: Loaded) -> None:
    """Says that ledgers in memory are several."""
    assert list(warnings(loaded)) == []
    [ledger] = warnings(changed(loaded, {}, ledger=MEMORY_LEDGER))
    assert "PostgreSQL" in ledger
