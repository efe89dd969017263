"""Built-in addons hear of the gateway's flows only, scripts of all."""

from __future__ import annotations

from types import ModuleType

import pytest
from mitmproxy import hooks, http, options
from mitmproxy.master import Master
from mitmproxy.proxy.layers.http import HttpRequestHook

from llmitm.engine.addon_manager import GatewayAddons, hears, mark_builtin
from tests.support.inspected import call_flow


class Listener:
    def __init__(self, name: str) -> None:
        self.name = name
        self.heard: list[str] = []

    def load(self, loader: object) -> None:
        self.heard.append("load")

    def configure(self, updated: object) -> None:
        self.heard.append("configure")

    def running(self) -> None:
        self.heard.append("running")

    def request(self, flow: http.HTTPFlow) -> None:
        self.heard.append("request")

    def done(self) -> None:
        self.heard.append("done")


def module(listener: Listener) -> ModuleType:
    """An addon as the loader makes it: a module with addons in it."""
    made = ModuleType(listener.name)
    made.__dict__.update(name=f"{listener.name} file", addons=[listener])
    return made


async def test_flows_of_other_modes() -> None:
    """mitmproxy's events about flows reach a script and pass a built-in addon by."""
    master = Master(options.Options())
    addons = GatewayAddons(master)  # type: ignore[no-untyped-call]
    own, script = Listener("own"), Listener("script")
    marked = module(own)
    mark_builtin(marked)
    addons.add(marked, module(script))
    addons.trigger(hooks.ConfigureHook(set()))
    await addons.trigger_event(hooks.RunningHook())
    await addons.handle_lifecycle(HttpRequestHook(call_flow()[0]))
    addons.trigger(HttpRequestHook(call_flow()[0]))
    await addons.trigger_event(hooks.DoneHook())
    assert own.heard == ["load", "configure", "running", "done"]
    assert script.heard == ["load", "configure", "running", "request", "request", "done"]


@pytest.mark.parametrize(
    ("event", "heard"),
    [(hooks.RunningHook(), True), (HttpRequestHook(call_flow()[0]), False)],
)
def test_hears(event: hooks.Hook, heard: bool) -> None:
    """A built-in addon lives with mitmproxy, but sees no flow of it."""
    own = Listener("own")
    assert hears(own, event)
    mark_builtin(own)
    assert hears(own, event) is heard
