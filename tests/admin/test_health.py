"""Liveness, readiness and metrics."""

from __future__ import annotations

import httpx

from tests.support.gateway import Gateway, Starter


def ready(gateway: Gateway) -> tuple[int, dict[str, object]]:
    reply = httpx.get(f"{gateway.admin_url}/readyz")
    return reply.status_code, reply.json()


def test_health(starter: Starter) -> None:
    """A process that answers lives."""
    gateway = starter.gateway(provider_url="http://127.0.0.1:9")
    assert httpx.get(f"{gateway.admin_url}/healthz").json() == {"status": "ok"}
    assert httpx.head(f"{gateway.admin_url}/healthz").status_code == 200


def test_readiness(starter: Starter) -> None:
    """Ready while calls are accepted; what is wrong but no hindrance is a detail."""
    gateway = starter.gateway(provider_url="http://127.0.0.1:9")
    status, said = ready(gateway)
    assert (status, said["status"]) == (200, "ready")
    assert said["detail"] == {"ledger": "ok", "shared_store": "ok", "policies": "ok"}
    (gateway.policies / "routes.yaml").write_text("nonsense: 1\n")
    httpx.post(f"{gateway.admin_url}/admin/config/reload")
    status, said = ready(gateway)
    assert status == 200
    assert said["detail"] == {
        "ledger": "ok",
        "shared_store": "ok",
        "policies": "last edit refused",
    }


def test_draining(starter: Starter) -> None:
    """A gateway that shuts down isn't ready, so that no balancer sends it more."""
    gateway = starter.gateway(provider_url="http://127.0.0.1:9")
    gateway.call(lambda: setattr(gateway.master, "draining", True))
    status, said = ready(gateway)
    assert (status, said["status"]) == (503, "draining")


def test_metrics(starter: Starter) -> None:
    """Prometheus gets the format that it asks for."""
    gateway = starter.gateway(provider_url="http://127.0.0.1:9")
    plain = httpx.get(f"{gateway.admin_url}/metrics")
    assert plain.headers["content-type"].startswith("text/plain")
    assert 'llmitm_build_info{version="' in plain.text
    accept = {"accept": "application/openmetrics-text; version=1.0.0"}
    opened = httpx.get(f"{gateway.admin_url}/metrics", headers=accept)
    assert opened.headers["content-type"].startswith("application/openmetrics-text")
    assert opened.text.endswith("# EOF\n")
