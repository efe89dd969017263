"""The inspector's hooks; what it shows is in tests/journeys/test_inspector.py."""

from __future__ import annotations

import importlib
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from mitmproxy import contentviews, ctx, exceptions, http, options
from mitmproxy.addonmanager import Loader
from mitmproxy.master import Master

from llmitm.call import call_of
from llmitm.config.address import Address
from llmitm.config.schema import Inspector
from llmitm.runtime import ProxyMode
from tests.support.inspected import call_flow, end

addon_file = importlib.import_module("addons.inspector")


class FakeMaster(Master):
    """A master with a runtime that listens for nothing but the inspector."""

    def __init__(self, port: int = 0, **settings: Any) -> None:
        super().__init__(options.Options())
        config = Inspector.model_validate(settings)
        listen = SimpleNamespace(inspector=Address("127.0.0.1", port))
        self.runtime = SimpleNamespace(
            gateway=SimpleNamespace(listen=listen, inspector=config),
            lifecycle=object(),
            proxy=ProxyMode(),
            inspector=None,
            inspector_socket=None,
            policies=SimpleNamespace(route_for=lambda _: None),
        )


@pytest.fixture
async def addon(request: pytest.FixtureRequest) -> AsyncIterator[Any]:
    master = FakeMaster(**getattr(request, "param", {}))
    made = addon_file.Inspector()
    made.load(Loader(master))  # type: ignore[no-untyped-call]
    made.running()
    yield made
    await made.done()


def address() -> tuple[str, int]:
    runtime: Any = ctx.master
    host, port = runtime.runtime.inspector
    return host, port


async def test_load_and_running(addon: Any) -> None:
    """It listens, says where, is no goal of the proxy, and its view is registered."""
    host, port = address()
    async with httpx.AsyncClient() as client:
        assert (await client.get(f"http://{host}:{port}/flows")).json() == []
    runtime: Any = ctx.master
    assert runtime.runtime.proxy.private_ports == {port}
    assert "llm" in contentviews.registry


async def test_a_taken_port(addon: Any) -> None:
    """Is an error that names the address."""
    _, port = address()
    master = FakeMaster(port)
    with pytest.raises(exceptions.OptionsError, match=f"can't listen on 127.0.0.1:{port}"):
        addon_file.Inspector().load(Loader(master))  # type: ignore[no-untyped-call]


async def test_a_call(addon: Any) -> None:
    """From its request to its end."""
    flow, call = call_flow()
    await addon.request(flow)
    assert call.watch is not None
    end(flow, call)
    addon.call_end(flow)
    assert [f.id for f in addon.parts.desk.view] == [flow.id]
    assert addon.parts.desk.view[0].metadata["model"] == "gpt-4o"


@pytest.mark.parametrize("addon", [{"hold": "~q", "hold_timeout": 600}], indirect=True)
async def test_answered_calls_are_not_held(addon: Any) -> None:
    """A call that another addon answered is only shown."""
    flow, _ = call_flow()
    flow.response = http.Response.make()
    await addon.request(flow)
    assert call_of(flow).held == 0


async def test_scripts_that_intercept(addon: Any) -> None:
    """An update about an intercepted flow lets an operator decide about it."""
    flow, _ = call_flow()
    await addon.request(flow)
    addon.update([flow])
    flow.intercept()
    addon.update([flow, call_flow()[0]])
    assert len(addon.parts.holds._mirrors) == 1
    addon.draining()
