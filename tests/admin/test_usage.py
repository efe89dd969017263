"""Usage reports and calls by the admin API."""

from __future__ import annotations

import httpx
import pytest

from tests.support.calls import watch
from tests.support.gateway import KEY, Gateway, Starter

PRICE = {"provider": "sim", "model": "*", "input_per_million": 1000, "output_per_million": 1000}


@pytest.fixture
def gateway(starter: Starter) -> Gateway:
    """A gateway that made five calls of two models."""
    _, url = starter.simulator(tokens=5)
    gateway = starter.gateway(policies={"prices": {"prices": [PRICE]}}, provider_url=url)
    watcher = watch(gateway)
    for model in ("a", "a", "b", "b", "b"):
        body = {"model": model, "messages": [{"role": "user", "content": "hi"}]}
        headers = {"authorization": f"Bearer {KEY}"}
        httpx.post(f"{gateway.url}/v1/chat/completions", json=body, headers=headers)
    watcher.wait(5)
    assert gateway.master.runtime.ledger.flush(60)
    return gateway


def test_usage(gateway: Gateway) -> None:
    """Sums by what was asked for, the dearest first, money as exact numbers."""
    report = httpx.get(f"{gateway.admin_url}/admin/usage?by=model").json()
    assert [(row["group"], row["calls"]) for row in report["usage"]] == [("b", 3), ("a", 2)]
    tokens = report["usage"][0]["prompt_tokens"] + report["usage"][0]["completion_tokens"]
    assert report["usage"][0]["cost_usd"] == tokens / 1000
    only = httpx.get(f"{gateway.admin_url}/admin/usage?by=key&model=a&since=1h").json()
    assert [(row["group"], row["calls"]) for row in only["usage"]] == [("dev", 2)]
    none = httpx.get(f"{gateway.admin_url}/admin/usage?until=2020-01-01&since=2019-01-01")
    assert none.json()["usage"] == []


@pytest.mark.parametrize(
    "query", ["by=color", "since=yesterday", "utc_offset=7", "since=2020-01-01T10:00"]
)
def test_what_makes_no_sense(gateway: Gateway, query: str) -> None:
    """400 with what is wrong."""
    reply = httpx.get(f"{gateway.admin_url}/admin/usage?{query}")
    assert reply.status_code == 400
    assert reply.json()["error"]
