"""The inspector's page as a script uses it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import httpx

from tests.support.gateway import Gateway

Flow = dict[str, Any]
WAIT_SECONDS = 15


class Inspecting:
    """One operator's connection to the inspector of a gateway."""

    def __init__(self, gateway: Gateway, **headers: str) -> None:
        address = gateway.master.runtime.inspector
        assert address is not None
        self.url = "http://{}:{}".format(*address)
        cookies = httpx.get(f"{self.url}/", headers=headers).cookies
        token = cookies["_mitmproxy_xsrf"]
        cookie = "; ".join(f"{name}={value}" for name, value in cookies.items())
        self._headers = {**headers, "cookie": cookie, "x-xsrftoken": token}

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        reply = httpx.request(method, self.url + path, headers=self._headers, **options)
        return reply.raise_for_status()

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.ask("GET", path, **options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        return self.ask("POST", path, **options)

    def flows(self) -> list[Flow]:
        return list(self.get("/flows").json())

    def calls(self) -> list[Flow]:
        """The flows that are no attempts."""
        return [flow for flow in self.flows() if not flow["comment"].startswith("↳")]

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
