"""An operator holds calls of a whole gateway, edits them, and sends them again."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.support.gateway import Gateway, Starter
from tests.support.inspector import FEW_KEY, Inspecting, ask, inspected


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


def edited(text: str, model: str = "gpt-4o") -> str:
    return json.dumps({"model": model, "messages": [{"role": "user", "content": text}]})


def test_hold_edit_resume(starter: Starter, pool: ThreadPoolExecutor) -> None:
    """A held prompt is edited; the edited one is routed, sent and accounted."""
    gateway, simulator = inspected(starter)
    inspecting = Inspecting(gateway)
    inspecting.set(intercept="~b secret & ~meta 'key: dev'")
    passing = ask(gateway, "nothing special")
    assert passing.status_code == 200
    call = pool.submit(ask, gateway, "the secret plan")
    (held,) = inspecting.wait(lambda f: f["intercepted"])
    assert len(simulator.requests) == 1
    inspecting.edit(held, edited("the public plan", model="saved"))
    inspecting.post(f"/flows/{held['id']}/resume")
    reply = call.result()
    assert reply.headers["x-llmitm-target"] == "sim/steady"
    assert b"public" in simulator.requests[-1].body
    assert b"secret" not in b"".join(request.body for request in simulator.requests)
    (shown,) = inspecting.wait(lambda f: f["modified"] and not f["intercepted"])
    assert shown["comment"].startswith("saved · ")


@pytest.mark.parametrize("how", ["kill", "delete"])
def test_hold_kill(starter: Starter, pool: ThreadPoolExecutor, how: str) -> None:
    """A killed call is refused, and no provider hears of it."""
    gateway, simulator = inspected(starter, hold="~b secret")
    inspecting = Inspecting(gateway)
    call = pool.submit(ask, gateway, "secret")
    (held,) = inspecting.wait(lambda f: f["intercepted"])
    if how == "kill":
        inspecting.post(f"/flows/{held['id']}/kill")
    else:
        inspecting.ask("DELETE", f"/flows/{held['id']}")
    assert call.result().status_code == 403
    assert "operator" in call.result().json()["error"]["message"]
    assert not simulator.requests


@pytest.mark.parametrize(("then", "status"), [("resume", 200), ("kill", 403)])
def test_hold_timeout(starter: Starter, then: str, status: int) -> None:
    """When nobody decides in time, the configuration does."""
    gateway, _ = inspected(starter, hold="~q", hold_timeout=0.1, hold_then=then)
    assert ask(gateway).status_code == status
    (call,) = Inspecting(gateway).calls()
    assert not call["intercepted"]


def test_shutdown_does_not_wait_for_operators(starter: Starter, pool: ThreadPoolExecutor) -> None:
    """Held calls go on when the gateway is asked to stop, and are answered."""
    gateway, _ = inspected(starter, hold="~q", hold_timeout=600)
    call: Future[httpx.Response] = pool.submit(ask, gateway)
    Inspecting(gateway).wait(lambda f: f["intercepted"])
    gateway.master.shutdown()
    assert call.result().status_code == 200


def ledger(gateway: Gateway) -> list[tuple[Any, ...]]:
    assert gateway.master.runtime.ledger.flush(60)
    with sqlite3.connect(gateway.directory / "ledger.db") as database:
        query = "SELECT key_id, user_id, model, status FROM calls ORDER BY ts"
        return list(database.execute(query).fetchall())


def test_resend(starter: Starter) -> None:
    """A call that is sent again is limited, routed and accounted as its key's own."""
    gateway, simulator = inspected(starter)
    ask(gateway, model="saved")
    assert ask(gateway, key=FEW_KEY).status_code == 200
    inspecting = Inspecting(gateway)
    saved, few = inspecting.calls()
    inspecting.edit(saved, edited("again, please"))
    inspecting.post(f"/flows/{saved['id']}/replay")
    inspecting.post(f"/flows/{few['id']}/replay")
    again = inspecting.wait(lambda f: f["is_replay"] and "·" in f["comment"], 2)
    outcomes = {flow["comment"].rpartition(" · ")[2] for flow in again}
    assert outcomes == {"200 ok", "429 rate_limited"}
    assert b"again, please" in simulator.requests[-1].body
    assert sorted(ledger(gateway)) == [
        ("dev", "ava", "gpt-4o", 200),
        ("dev", "ava", "saved", 200),
        ("few", None, "gpt-4o", 200),
        ("few", None, "gpt-4o", 429),
    ]


def test_resend_as_a_key_that_is_gone(starter: Starter) -> None:
    """A key that was disabled meanwhile does not come back by its old calls."""
    gateway, _ = inspected(starter)
    ask(gateway)
    keys = gateway.policies / "keys.yaml"
    keys.write_text("keys: [{id: other, key: sk-other-0123456789}]\n")
    gateway.thread.run(gateway.master.watcher.reload_now())
    inspecting = Inspecting(gateway)
    (call,) = inspecting.calls()
    inspecting.post(f"/flows/{call['id']}/replay")
    (again,) = inspecting.wait(lambda f: f["is_replay"] and "·" in f["comment"])
    assert again["comment"].endswith("401 authentication")
