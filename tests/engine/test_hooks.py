"""The hook table: which addon methods run, and what becomes of what they raise."""

from __future__ import annotations

import logging
from types import ModuleType
from typing import Any

import pytest
from mitmproxy import exceptions
from mitmproxy.test import tflow

from llmitm.engine.hooks import DECIDING, OBSERVING, HookTable
from llmitm.errors import Cause, GatewayError

FLOW = tflow.tflow()


class Noting:
    """Notes what it is called with; `fault` is raised instead."""

    def __init__(self, log: list[str], name: str, fault: Exception | None = None) -> None:
        self.log, self.name, self.fault = log, name, fault

    def request(self, flow: Any) -> None:
        self.log.append(self.name)
        if self.fault is not None:
            raise self.fault

    error = request


class NotingAsync(Noting):
    async def request(self, flow: Any) -> None:  # type: ignore[override]
        super().request(flow)


class Group:
    def __init__(self, *addons: object) -> None:
        self.addons = addons


def table(*addons: object) -> HookTable:
    hooks = HookTable()
    hooks.rebuild(addons)
    return hooks


async def test_order() -> None:
    """Runs sync and async hooks of addons and of the addons inside them, in order."""
    log: list[str] = []
    inner = Group(Noting(log, "b"), NotingAsync(log, "c"))
    hooks = table(Noting(log, "a"), inner, NotingAsync(log, "d"))
    await hooks.decide("request", FLOW)
    assert log == ["a", "b", "c", "d"]


@pytest.mark.parametrize("kind", [Noting, NotingAsync])
async def test_deciding_hooks_fail_closed(kind: type[Noting]) -> None:
    """What an addon raises stops the call: later addons don't run, the client gets a 500."""
    log: list[str] = []
    hooks = table(kind(log, "a", ValueError("secret")), Noting(log, "b"))
    with pytest.raises(GatewayError) as refused:
        await hooks.decide("request", FLOW)
    assert refused.value.cause is Cause.INTERNAL
    assert "secret" not in refused.value.message
    assert log == ["a"]


async def test_refusals_pass() -> None:
    """An addon's own refusal is the client's."""
    refusal = GatewayError(Cause.PERMISSION, "no")
    with pytest.raises(GatewayError) as refused:
        await table(Noting([], "a", refusal)).decide("request", FLOW)
    assert refused.value is refusal


async def test_observing_hooks_go_on(caplog: pytest.LogCaptureFixture) -> None:
    """What an observing addon raises is logged, and the next one still runs."""
    log: list[str] = []
    hooks = table(Noting(log, "a", ValueError("broken")), Noting(log, "b"))
    with caplog.at_level(logging.ERROR):
        await hooks.observe("error", FLOW)
    assert log == ["a", "b"]
    assert "broken" in caplog.text


@pytest.mark.parametrize("run", ["decide", "observe"])
async def test_halt(run: str) -> None:
    """mitmproxy's AddonHalt ends a hook without harm."""
    log: list[str] = []
    hooks = table(Noting(log, "a", exceptions.AddonHalt()), Noting(log, "b"))
    await getattr(hooks, run)("request" if run == "decide" else "error", FLOW)
    assert log == ["a"]


async def test_killed_flow() -> None:
    """A flow that an addon kills goes no further."""

    class Killer:
        def request(self, flow: Any) -> None:
            flow.kill()

    flow = tflow.tflow()
    flow.live = True
    log: list[str] = []
    with pytest.raises(GatewayError) as refused:
        await table(Killer(), Noting(log, "b")).decide("request", flow)
    assert refused.value.cause is Cause.PERMISSION
    assert log == []


async def test_modules_are_no_hooks() -> None:
    """A module that a script imported isn't taken for a hook of that name."""
    script = ModuleType("script")
    script.request = ModuleType("request")  # type: ignore[attr-defined]
    hooks = table(script)
    await hooks.decide("request", FLOW)
    assert not hooks.has("request")


def test_every_hook_is_one_or_the_other() -> None:
    """No hook both decides and observes."""
    assert not DECIDING & OBSERVING
