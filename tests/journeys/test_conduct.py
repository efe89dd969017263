"""How the gateway behaves towards a provider that fails: as that provider sees it."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from typing import Any

import httpx
import openai
import pytest

from tests.journeys.test_faults import MESSAGES, gateway_for, provider
from tests.support.faulty import TEXT, FaultyProvider
from tests.support.gateway import KEY, Gateway, Starter
from tests.support.prompt import seconds_until, within_a_second

ONLY = {"model": "chat", "targets": [{"provider": "sim", "model": "m1"}]}
PATIENCE = 60.0


def alone(starter: Starter, fault: FaultyProvider, url: str, **resilience: Any) -> Gateway:
    """A gateway whose only target is `url`."""
    base = {"retry": {"attempts": 3, "base": 0.1, "max": 0.2}}
    return starter.gateway(
        policies={"routes": {"routes": [ONLY]}, "resilience": {**base, **resilience}},
        provider_url=url,
    )


def post(gateway: Gateway, **extra: Any) -> httpx.Response:
    return httpx.post(
        f"{gateway.url}/v1/chat/completions",
        headers={"authorization": f"Bearer {KEY}"},
        json={"model": "chat", "messages": MESSAGES, **extra},
        timeout=60,
    )


def gaps(faulty: FaultyProvider) -> list[float]:
    return [b.at - a.at for a, b in itertools.pairwise(faulty.requests)]


def eventually(condition: Callable[[], bool]) -> None:
    """Wait until the condition holds. Raises AssertionError after `PATIENCE` seconds."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.01)


def test_retry_after_is_honoured(starter: Starter) -> None:
    """A single target that asks for a second's pause is asked again after it, not before."""
    faulty, url = provider(starter, fault="429", times=1, retry_after="1")
    reply = post(alone(starter, faulty, url))
    assert reply.status_code == 200
    assert len(faulty.requests) == 2
    assert gaps(faulty)[0] >= 1.0


def test_attempts_are_bounded(starter: Starter) -> None:
    """A target that fails for ever is asked `attempts` times, the client is told not to."""
    faulty, url = provider(starter, fault="503")
    breaker = {"consecutive_failures": None, "failure_rate": None}
    reply = post(alone(starter, faulty, url, circuit_breaker=breaker))
    assert reply.status_code == 503
    assert reply.headers["x-should-retry"] == "false"
    assert len(faulty.requests) == 3


def test_429_for_ever_is_429(starter: Starter) -> None:
    """When every target asks to wait, the client is asked to wait too."""
    faulty, url = provider(starter, fault="429", retry_after="40")
    resilience = {"retry": {"attempts": 3, "deadline": 5}}
    reply = post(alone(starter, faulty, url, **resilience))
    assert reply.status_code == 429
    assert 30 <= int(reply.headers["retry-after"]) <= 41
    assert len(faulty.requests) == 1


@pytest.mark.parametrize("stream", [False, True])
def test_a_silent_target_is_asked_once(starter: Starter, stream: bool) -> None:
    """A target that stayed silent until its timeout is not asked again in the same call."""
    faulty, url = provider(starter, fault="silence")
    timeouts = {"connect": 1, "first_byte": 0.3, "first_token": 0.3}
    reply = post(alone(starter, faulty, url, timeouts=timeouts), stream=stream)
    assert reply.status_code == 504
    assert len(faulty.requests) == 1


@pytest.mark.parametrize("fault", ["400", "context_length", "content_filter"])
def test_a_400_is_asked_once(starter: Starter, fault: str) -> None:
    """What is wrong with the request is told once, in the provider's words."""
    faulty, url = provider(starter, fault=fault)
    reply = post(alone(starter, faulty, url))
    assert reply.status_code == 400
    assert reply.headers["x-should-retry"] == "false"
    assert len(faulty.requests) == 1


def test_refused_credential(starter: Starter) -> None:
    """A provider that refuses our key is left alone; the client hears 503, never 401."""
    faulty, url = provider(starter, fault="401")
    gateway = alone(starter, faulty, url)
    assert [post(gateway).status_code for _ in range(3)] == [503, 503, 503]
    assert len(faulty.requests) == 1
    metrics = httpx.get(f"{gateway.admin_url}/metrics").text
    assert 'llmitm_upstream_auth_failures_total{provider="sim"} 1.0' in metrics


def test_circuit_opens_and_closes_again(starter: Starter) -> None:
    """During an outage the primary is hardly asked; it is back in use soon after its recovery."""
    first, primary = provider(starter, fault="503")
    _, fallback = provider(starter)
    breaker = {"consecutive_failures": 3, "open_for": 2}
    gateway = gateway_for(starter, primary, fallback, circuit_breaker=breaker)
    begun = time.monotonic()
    served = [post(gateway).headers["x-llmitm-target"] for _ in range(30)]
    assert set(served) == {"second/m2"}
    probes = (time.monotonic() - begun) / breaker["open_for"]
    assert len(first.requests) <= breaker["consecutive_failures"] + probes + 1
    states = httpx.get(f"{gateway.admin_url}/admin/targets").json()["targets"]
    assert {t["target"]: t["state"] for t in states}["first/m1"] in ("open", "half_open")
    first.fault = None
    eventually(lambda: post(gateway).headers["x-llmitm-target"] == "first/m1")
    metrics = httpx.get(f"{gateway.admin_url}/metrics").text
    labels = '{from="half_open",target="first/m1",to="closed"}'
    assert f"llm_circuit_breaker_state_changes_total{labels} 1.0" in metrics


def test_open_circuits_everywhere(starter: Starter) -> None:
    """With every circuit open a call is refused at once, and no connection is left behind."""
    faulty, url = provider(starter, fault="500")
    breaker = {"consecutive_failures": 1, "open_for": 60}
    gateway = alone(starter, faulty, url, circuit_breaker=breaker, retry={"attempts": 1})
    post(gateway)
    asked = len(faulty.requests)
    reply = post(gateway)
    assert reply.status_code == 503
    assert 0 < int(reply.headers["retry-after"]) <= 60
    assert len(faulty.requests) == asked
    assert gateway.call(lambda: gateway.master.runtime.upstream.open_connections) <= 1


def test_reset_closes_a_circuit(starter: Starter) -> None:
    """An operator's reset lets the target be asked again at once."""
    faulty, url = provider(starter, fault="500", times=1)
    breaker = {"consecutive_failures": 1, "open_for": 60}
    gateway = alone(starter, faulty, url, circuit_breaker=breaker, retry={"attempts": 1})
    post(gateway)
    assert post(gateway).status_code == 503
    change = {"target": "sim/m1", "action": "reset"}
    assert httpx.post(f"{gateway.admin_url}/admin/targets", json=change).status_code == 200
    assert post(gateway).status_code == 200


def test_drained_target(starter: Starter) -> None:
    """A drained target gets no new calls until it is undrained."""
    first, primary = provider(starter)
    _, fallback = provider(starter)
    gateway = gateway_for(starter, primary, fallback)
    change = {"target": "first/m1", "action": "drain"}
    httpx.post(f"{gateway.admin_url}/admin/targets", json=change)
    assert post(gateway).headers["x-llmitm-target"] == "second/m2"
    httpx.post(f"{gateway.admin_url}/admin/targets", json={**change, "action": "undrain"})
    assert post(gateway).headers["x-llmitm-target"] == "first/m1"
    assert len(first.requests) == 1


def test_hedging(starter: Starter) -> None:
    """With `hedge_after` the next target answers a call whose first one is slow."""
    first, primary = provider(starter, fault="slow_first_token")
    _, fallback = provider(starter)
    timeouts = {"first_token": PATIENCE}
    gateway = gateway_for(starter, primary, fallback, hedge_after=0.1, timeouts=timeouts)
    client = openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=KEY, max_retries=0)
    begun = time.monotonic()
    stream = client.chat.completions.create(model="chat", messages=MESSAGES, stream=True)
    text = "".join(c.choices[0].delta.content or "" for c in stream if c.choices)
    assert text == TEXT
    assert time.monotonic() - begun < timeouts["first_token"]
    eventually(lambda: first.open == 0)  # the slower attempt was cancelled


def test_keep_alive_comments(starter: Starter) -> None:
    """While a first token is awaited, SSE comments keep the connection busy."""
    _, primary = provider(starter, fault="slow_first_token")
    _, fallback = provider(starter)
    timeouts = {"first_token": 1, "connect": 1}
    gateway = gateway_for(starter, primary, fallback, keep_alive=0.2, timeouts=timeouts)
    reply = post(gateway, stream=True)
    assert reply.text.startswith(": keep-alive\n\n")
    assert reply.text.endswith("data: [DONE]\n\n")
    assert reply.headers["content-type"] == "text/event-stream"


def test_keep_alive_then_failure(starter: Starter) -> None:
    """A call that fails after comments were sent ends in an error event, not in silence."""
    faulty, url = provider(starter, fault="slow_first_token")
    timeouts = {"first_token": 1, "connect": 1}
    gateway = alone(starter, faulty, url, keep_alive=0.2, timeouts=timeouts)
    reply = post(gateway, stream=True)
    assert reply.status_code == 200
    assert '"code":"timeout"' in reply.text
    assert "[DONE]" not in reply.text


def test_disconnect_cancels_the_upstream(starter: Starter) -> None:
    """A client that leaves ends the provider's work within a second; the call is settled."""
    faulty, url = provider(starter, fault="stall")
    faulty.released.set()
    gateway = alone(starter, faulty, url, timeouts={"between_tokens": 60})

    def left() -> float:
        with httpx.stream(
            "POST",
            f"{gateway.url}/v1/chat/completions",
            headers={"authorization": f"Bearer {KEY}"},
            json={"model": "chat", "messages": MESSAGES, "stream": True},
        ) as reply:
            next(reply.iter_lines())
        return seconds_until(lambda: faulty.open == 0)

    within_a_second(left)
    eventually(lambda: gateway.call(lambda: gateway.master.lifecycle.in_flight) == 0)
