"""The addon that shows NeuroGate's metric names."""

from __future__ import annotations

import pytest
from prometheus_client import generate_latest

from addons import seed_metrics
from addons.seed_metrics import SeedMetrics
from llmitm.call import Attempt, Target, Usage
from llmitm.metrics import Metrics
from tests.seeds.flows import flow_of
from tests.seeds.live import live


def test_shows_the_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """From when the gateway runs, a scrape has the names, and each call counts."""
    table = Metrics()
    running = live(metrics=table)
    monkeypatch.setattr(seed_metrics, "runtime", lambda: running)
    addon = SeedMetrics()
    flow, call = flow_of("/prompt", {})
    call.attempts = [Attempt(Target("worker-0"), 1, "m", started=10.0, ended=12.0)]
    call.usage = Usage(completion_tokens=40)
    addon.call_end(flow)  # a call that ends before that is no fault
    assert b"neurogate_" not in generate_latest(table.registry)
    addon.running()
    addon.call_end(flow)
    text = generate_latest(table.registry).decode()
    assert 'neurogate_worker_tokens_per_second{worker="worker-0/*"} 20.0' in text
