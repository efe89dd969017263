"""A gateway between two ends that the test holds in its hands: clients and the one provider."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.calls import Watcher, watch
from tests.support.gateway import KEY, Gateway, Starter
from tests.support.wire import SECONDS, Message, Peer, Upstream, connect, request

AUTH = {"authorization": f"Bearer {KEY}"}
JSON = {**AUTH, "content-type": "application/json"}
CHAT = "/v1/chat/completions"


class Rig:
    """`client()` is a new connection to the gateway; `asked()` is what reached the provider."""

    def __init__(self, gateway: Gateway, upstream: Upstream) -> None:
        self.gateway = gateway
        self.upstream = upstream
        self.watcher: Watcher = watch(gateway)
        self._open: list[Peer] = []

    def client(self) -> Peer:
        peer = connect(self.gateway.url)
        self._open.append(peer)
        return peer

    def post(self, body: bytes, path: str = CHAT, **headers: str) -> Peer:
        """A new client that has sent a request with a JSON body."""
        client = self.client()
        client.send(request("POST", path, body, {**JSON, **headers}))
        return client

    def asked(self) -> tuple[Peer, Message]:
        peer, message = self.upstream.request()
        self._open.append(peer)
        return peer, message

    def accept(self) -> Peer:
        peer = self.upstream.accept()
        self._open.append(peer)
        return peer

    def close(self) -> None:
        for peer in self._open:
            peer.close()
        self._open.clear()

    def reset(self) -> None:
        """Close both ends and wait until the gateway has let go of everything."""
        self.close()
        master = self.gateway.master
        deadline = time.monotonic() + SECONDS
        while self.gateway.call(
            lambda: (
                master.lifecycle.in_flight
                or master.lifecycle._ending
                or master.runtime.upstream.open_connections
            )
        ):
            assert time.monotonic() < deadline, "a call or connection is left"
        self.upstream.none_waiting()


@contextmanager
def rigged(
    directory: Path, policies: Mapping[str, Any] | None = None, **settings: Any
) -> Iterator[Rig]:
    starter = Starter(directory)
    patient = {"resilience": {"retry": {"attempts": 1}, "circuit_breaker": {"enabled": False}}}
    try:
        with Upstream() as upstream:
            gateway = starter.gateway(
                settings, {**patient, **(policies or {})}, provider_url=upstream.url
            )
            rig = Rig(gateway, upstream)
            try:
                yield rig
            finally:
                rig.close()
    finally:
        starter.close()
