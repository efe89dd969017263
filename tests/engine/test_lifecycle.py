"""The life of a call: hooks in their order, and one end whatever happens."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from mitmproxy import http

from llmitm.call import call_of
from llmitm.errors import Cause, GatewayError
from tests.support.gateway import KEY, Gateway, Starter

BODY: Any = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


class Witness:
    """Writes down which hooks fire."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.refuse = False

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        self.seen.append("requestheaders")

    def request(self, flow: http.HTTPFlow) -> None:
        self.seen.append("request")
        if self.refuse:
            raise GatewayError(Cause.PERMISSION, "not today")

    def upstream_request(self, flow: http.HTTPFlow, attempt: Any) -> None:
        self.seen.append("upstream_request")

    def upstream_response(self, flow: http.HTTPFlow, attempt: Any) -> None:
        self.seen.append("upstream_response")

    def responseheaders(self, flow: http.HTTPFlow) -> None:
        self.seen.append("responseheaders")

    def response(self, flow: http.HTTPFlow) -> None:
        self.seen.append("response")

    def error(self, flow: http.HTTPFlow) -> None:
        self.seen.append("error")

    def settle(self, flow: http.HTTPFlow) -> None:
        self.seen.append("settle")

    def call_end(self, flow: http.HTTPFlow) -> None:
        assert call_of(flow).record is not None
        self.seen.append("call_end")


def watched(starter: Starter) -> tuple[Gateway, Witness]:
    _, url = starter.simulator()
    gateway = starter.gateway(provider_url=url)
    witness = Witness()

    def attach() -> None:
        gateway.master.observers.append(witness)
        gateway.master.hooks.rebuild([*gateway.master.addons.chain, *gateway.master.observers])

    gateway.call(attach)
    return gateway, witness


def post(gateway: Gateway, key: str = KEY, **extra: Any) -> httpx.Response:
    return httpx.post(
        f"{gateway.url}/v1/chat/completions",
        headers={"authorization": f"Bearer {key}"},
        json={**BODY, **extra},
    )


@pytest.mark.parametrize("stream", [False, True])
def test_answered_call(starter: Starter, stream: bool) -> None:
    """An answered call fires each hook once: `response` and never `error`, `call_end` last."""
    gateway, witness = watched(starter)
    assert post(gateway, stream=stream).status_code == 200
    gateway.stop()  # waits for the call to be settled
    starter.running.remove(gateway.stop)
    assert sorted(witness.seen) == sorted(
        ["requestheaders", "request", "upstream_request", "upstream_response",
         "responseheaders", "response", "settle", "call_end"]
    )  # fmt: skip
    assert witness.seen[:3] == ["requestheaders", "request", "upstream_request"]
    assert witness.seen[-1] == "call_end"


def test_refused_call(starter: Starter) -> None:
    """A refusal skips the provider, and still ends in `call_end`, once."""
    gateway, witness = watched(starter)
    witness.refuse = True
    assert post(gateway).status_code == 403
    gateway.stop()
    starter.running.remove(gateway.stop)
    assert "upstream_request" not in witness.seen
    assert witness.seen.count("call_end") == 1
    assert "error" not in witness.seen
