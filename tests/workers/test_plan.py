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
    """All workers listen on the gateway's port; mitmproxy's own listeners are the first one's."""
    inspector = Address("127.0.0.1", 4002)
    given = changed(loaded, {"intercept": ("regular@8080",), "inspector": inspector})
    plans = [of_worker(given, index, ADDRESS).gateway.listen for index in range(3)]
    assert {plan.gateway for plan in plans} == {ADDRESS}
    assert [plan.intercept for plan in plans] == [("regular@8080",), (), ()]
    assert {plan.inspector for plan in plans} == {None}


def test_everything_else_is_the_same(loaded: Loaded) -> None:
    """A worker's configuration differs in its listeners only."""
    plan = of_worker(loaded, 1, ADDRESS)
    assert replace(plan, gateway=loaded.gateway) == loaded
    same = {"listen": loaded.gateway.listen}
    assert plan.gateway.model_copy(update=same) == loaded.gateway


def test_warnings(loaded: Loaded) -> None:
    """Says that there is no inspector, and that ledgers in memory are several."""
    assert list(warnings(loaded)) == []
    given = changed(loaded, {"inspector": Address("127.0.0.1", 4002)}, ledger=MEMORY_LEDGER)
    [inspector, ledger] = warnings(given)
    assert "inspector is off" in inspector
    assert "workers: 1" in inspector
    assert "PostgreSQL" in ledger
