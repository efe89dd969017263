"""A provider that health checks find down, in a whole gateway."""

from __future__ import annotations

import time

import httpx

from tests.support.gateway import KEY, Starter, default_settings
from tests.support.prompt import seconds_until

SECONDS = 60.0
ROUTES = {
    "routes": [
        {
            "model": "m",
            "targets": [{"provider": "gone", "model": "m"}, {"provider": "sim", "model": "m"}],
            "resilience": {"health_check": {"every": 0.05, "failures": 2}},
        },
        {"model": "only", "targets": [{"provider": "gone", "model": "m"}]},
    ]
}


def test_who_is_down_is_left_out(starter: Starter) -> None:
    """No call waits for a provider that its checks found down; it is asked where it is the last."""
    simulator, url = starter.simulator()
    settings = default_settings(url)
    settings["providers"]["gone"] = {"api": "openai", "base_url": "http://127.0.0.1:9/v1"}
    gateway = starter.gateway(settings=settings, policies={"routes": ROUTES})
    begun = time.monotonic()
    while 'llmitm_provider_up{provider="gone"} 0.0' not in metrics(gateway.admin_url):
        assert time.monotonic() - begun < SECONDS
    seconds_until(lambda: simulator.requests)
    assert {seen.method for seen in simulator.requests} == {"GET"}

    reply = ask(gateway.url, "m")
    assert (reply.status_code, reply.headers["x-llmitm-attempts"]) == (200, "1")
    assert reply.headers["x-llmitm-target"] == "sim/m"
    shown = httpx.get(f"{gateway.admin_url}/admin/targets").json()["targets"]
    assert {row["target"]: row["unhealthy"] for row in shown} == {"gone/m": True, "sim/m": False}
    assert ask(gateway.url, "only").headers["x-llmitm-target"] == "gone/m"


def metrics(url: str) -> str:
    return httpx.get(f"{url}/metrics").text


def ask(url: str, model: str) -> httpx.Response:
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}]}
    headers = {"authorization": f"Bearer {KEY}"}
    return httpx.post(f"{url}/v1/chat/completions", json=body, headers=headers)
