"""An addon's surroundings without a gateway: flows with calls, and the parts that it asks for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from mitmproxy import connection, ctx, http

from llmitm.call import Call, Principal, call_of
from llmitm.config.load import load
from llmitm.engine.flows import attach_call
from llmitm.keyring import Keyring
from llmitm.metrics import Metrics
from llmitm.prices import PriceBook
from llmitm.targets import Targets
from tests.support.gateway import DEFAULT_POLICIES, default_settings, write

URL = "http://127.0.0.1:9"


class Stage:
    """`runtime` is what addons get of `runtime()`; `configure` makes one of files."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.directory = directory
        self._monkeypatch = monkeypatch
        self.runtime: Any = None
        self.configure()

    def configure(
        self,
        policies: Mapping[str, Any] | None = None,
        settings: Mapping[str, Any] | None = None,
        **parts: Any,
    ) -> None:
        """Take the configuration of a gateway with these differences from the default one."""
        path = write(
            self.directory,
            {**default_settings(URL), **(settings or {})},
            {**DEFAULT_POLICIES, **(policies or {})},
        )
        loaded = load(path, {})
        metrics = Metrics()
        targets = Targets(loaded.gateway, metrics)
        targets.circuits.apply(loaded.policies)
        keyring = Keyring(cast("Any", None), policies=lambda: self.runtime.policies)
        self.runtime = SimpleNamespace(
            loaded=loaded,
            gateway=loaded.gateway,
            policies=loaded.policies,
            metrics=metrics,
            targets=targets,
            prices=PriceBook(loaded.policies.prices, loaded.gateway.providers),
            keyring=keyring,
            **parts,
        )
        master = SimpleNamespace(runtime=self.runtime)
        self._monkeypatch.setattr(ctx, "master", master, raising=False)

    def key(self, key_id: str = "dev") -> Principal:
        """Who presents the key of this id."""
        key = next(key for key in self.runtime.policies.keys if key.id == key_id)
        return Principal(key.id, key.user, key.team, key)


def flow_of(
    path: str = "/v1/chat/completions",
    body: Any = None,
    *,
    method: str = "POST",
    headers: Mapping[str, str] | None = None,
    who: Principal | None = None,
) -> http.HTTPFlow:
    """A request as it comes from a client. `body` is JSON, or bytes as they are."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode() if body else b""
    client = connection.Client(
        peername=("127.0.0.1", 50_000), sockname=("127.0.0.1", 4000), timestamp_start=0.0
    )
    flow = http.HTTPFlow(client, connection.Server(address=None), live=True)
    flow.request = http.Request.make(method, f"http://127.0.0.1:4000{path}", content, headers or {})
    attach_call(flow, flow.request.headers)
    call_of(flow).principal = who
    return flow


def call_and_flow(*args: Any, **kwargs: Any) -> tuple[Call, http.HTTPFlow]:
    """The same, with its call."""
    flow = flow_of(*args, **kwargs)
    return call_of(flow), flow
