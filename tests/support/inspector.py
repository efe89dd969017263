"""A gateway with its inspector on, and the inspector's page as a script uses it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import httpx

from llmitm.simulator.server import Simulator
from tests.support.gateway import KEY, Gateway, Starter

Flow = dict[str, Any]
WAIT_SECONDS = 60
LISTEN = {"gateway": "127.0.0.1:0", "admin": "127.0.0.1:0", "inspector": "127.0.0.1:0"}
FEW_KEY = "sk-few-0123456789"
PATHS = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages", "ollama": "/api/chat"}
POLICIES: dict[str, Any] = {
    "keys": {
        "users": [{"id": "ava"}],
        "keys": [
            {"id": "dev", "key": KEY, "user": "ava"},
            {"id": "few", "key": FEW_KEY, "limits": {"requests_per_minute": 1}},
        ],
    },
    "routes": {
        "routes": [
            {
                "model": "saved",
                "targets": [
                    {"provider": "sim", "model": "x@503"},
                    {"provider": "sim", "model": "steady"},
                ],
            },
            {"model": "refused", "targets": [{"provider": "strict", "model": "x@401"}]},
            {"model": "*", "targets": [{"provider": "sim"}]},
        ]
    },
    "resilience": {"retry": {"attempts": 2, "base": 0.01, "max": 0.01}},
    "prices": {
        "prices": [
            {
                "provider": "sim",
                "model": "*",
                "input_per_million": 3,
                "output_per_million": 12,
            }
        ]
    },
}


def inspected(
    starter: Starter,
    simulated: dict[str, Any] | None = None,
    *,
    provider: dict[str, Any] | None = None,
    **inspector: Any,
) -> tuple[Gateway, Simulator]:
    """A gateway in front of a simulator. `inspector` are its settings in gateway.yaml."""
    simulator, url = starter.simulator(**(simulated or {}))
    one = {"api": "simulator", "base_url": url, **(provider or {})}
    settings = {"listen": LISTEN, "providers": {"sim": one, "strict": one}, "inspector": inspector}
    return starter.gateway(settings, POLICIES), simulator


def ask(
    gateway: Gateway,
    text: str = "What is a gateway?",
    *,
    model: str = "gpt-4o",
    dialect: str = "openai",
    key: str = KEY,
    stream: bool = False,
) -> httpx.Response:
    body = {
        "model": model,
        "max_tokens": 20,
        "stream": stream,
        "messages": [{"role": "user", "content": text}],
    }
    headers = {"authorization": f"Bearer {key}", "cookie": "session=abc"}
    return httpx.post(
        gateway.url + PATHS[dialect], json=body, headers=headers, timeout=WAIT_SECONDS
    )


def url_of(gateway: Gateway) -> str:
    address = gateway.master.runtime.inspector
    assert address is not None
    return "http://{}:{}".format(*address)


class Inspecting:
    """One operator's connection to the inspector of a gateway, or to one at a URL."""

    def __init__(self, gateway: Gateway | str, **headers: str) -> None:
        self.url = gateway if isinstance(gateway, str) else url_of(gateway)
        # No connection is kept, so that there is nothing to close; and no TLS to prepare.
        limits = httpx.Limits(max_keepalive_connections=0)
        self._http = httpx.Client(
            base_url=self.url, headers=headers, limits=limits, verify=False, timeout=WAIT_SECONDS
        )
        self._http.get("/")
        self._http.headers["x-xsrftoken"] = self._http.cookies["_mitmproxy_xsrf"]

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        return self._http.request(method, path, **options).raise_for_status()

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.ask("GET", path, **options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        return self.ask("POST", path, **options)

    def flows(self) -> list[Flow]:
        return list(self.get("/flows").json())

    def ended(self) -> list[Flow]:
        """The flows once all calls have ended, which is a moment after their answers."""
        deadline = time.monotonic() + WAIT_SECONDS
        while _running(found := self.flows()):
            assert time.monotonic() < deadline, _running(found)
        return found

    def calls(self) -> list[Flow]:
        """Those of them that are no attempts."""
        return [flow for flow in self.ended() if not flow["comment"].startswith("↳")]

    def wait(self, condition: Callable[[Flow], object], count: int = 1) -> list[Flow]:
        """The flows that satisfy `condition`, once there are `count`."""
        deadline = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < deadline:
            found = [flow for flow in self.flows() if condition(flow)]
            if len(found) >= count:
                return found
            time.sleep(0.02)
        raise AssertionError(f"no such flow among {[f['comment'] for f in self.flows()]}")

    def text(self, flow: Flow, message: str, view: str = "auto") -> str:
        """A request or response as a content view shows it."""
        shown = self.get(f"/flows/{flow['id']}/{message}/content/{view}")
        return str(shown.json()["text"])

    def body(self, flow: Flow, message: str) -> bytes:
        path = f"/flows/{flow['id']}/{message}/content.data"
        return self.get(path).content

    def set(self, **options: Any) -> None:
        self.ask("PUT", "/options", json=options)

    def edit(self, flow: Flow, content: str) -> None:
        change = {"request": {"content": content}}
        self.ask("PUT", f"/flows/{flow['id']}", json=change)


def _running(flows: list[Flow]) -> list[str]:
    """What those calls say that are on their way."""
    return [flow["comment"] for flow in flows if flow["comment"].endswith("…")]
