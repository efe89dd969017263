"""LLM Agent Go: what its document shows works with this gateway, ports aside."""

from __future__ import annotations

import json

import httpx
import pytest

from llmitm.simulator.answer import expected_text
from llmitm.simulator.server import Simulator
from tests.support.calls import watch
from tests.support.gateway import Gateway, Starter
from tests.support.seeds import curl, from_environment, post

PROMPT = "Explain distributed systems"
TEXT = expected_text([{"role": "user", "content": PROMPT}], 12)


@pytest.fixture
def provider(starter: Starter) -> tuple[Simulator, str]:
    return starter.simulator(tokens=12)


@pytest.fixture
def gateway(starter: Starter, provider: tuple[Simulator, str]) -> Gateway:
    return from_environment(starter, OLLAMA_URL=provider[1])


@pytest.fixture
def simulator(provider: tuple[Simulator, str]) -> Simulator:
    return provider[0]


def test_generate_text(gateway: Gateway, simulator: Simulator) -> None:
    """`POST /llm/generate` takes a prompt and answers with nothing but a response."""
    reply = post(f"{gateway.url}/llm/generate", {"prompt": PROMPT})
    assert (reply.status, reply.json) == (200, {"response": TEXT})
    assert reply.headers["content-type"] == "application/json"
    assert simulator.requests[-1].model == "llama3"


def test_stream_text(gateway: Gateway) -> None:
    """`POST /llm/stream` sends the text itself, so that `curl -N` shows it as it is written."""
    reply = post(f"{gateway.url}/llm/stream", {"prompt": PROMPT}, "-N")
    assert (reply.status, reply.text) == (200, TEXT)
    assert reply.headers["content-type"] == "text/plain; charset=utf-8"
    assert reply.headers["transfer-encoding"] == "chunked"


def test_stream_chunks_come_as_they_are_generated(gateway: Gateway, simulator: Simulator) -> None:
    """Chunks reach the client while the model is still silent about the rest; leaving stops it."""
    simulator.fault = "stall:after=3"
    watcher = watch(gateway)
    with httpx.stream("POST", f"{gateway.url}/llm/stream", json={"prompt": PROMPT}) as reply:
        seen = ""
        for text in reply.iter_text():
            seen += text
            if len(seen.split()) == 3:
                break
    assert TEXT.startswith(seen)
    (record,) = watcher.wait()
    assert (record.error, record.status, record.stream) == ("client_closed", 200, True)
    gateway.thread.run(simulator.settled())


def test_stream_as_events(gateway: Gateway) -> None:
    """A client that asks for server-sent events gets them, with an end mark."""
    reply = post(f"{gateway.url}/llm/stream", {"prompt": PROMPT}, "-H", "Accept: text/event-stream")
    *events, last, rest = reply.text.split("\n\n")
    assert reply.headers["content-type"] == "text/event-stream"
    assert "".join(json.loads(e.removeprefix("data: "))["response"] for e in events) == TEXT
    assert (last, rest) == ("data: [DONE]", "")


def test_a_broken_text_never_looks_whole(gateway: Gateway, simulator: Simulator) -> None:
    """Bare text that can't be continued ends with a broken connection."""
    simulator.fault = "cut:after=3"
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.post(f"{gateway.url}/llm/stream", json={"prompt": PROMPT})


def test_a_broken_stream_says_so(gateway: Gateway, simulator: Simulator) -> None:
    """Events that can't be continued end with one that says why, and without an end mark."""
    simulator.fault = "cut:after=3"
    accept = {"accept": "text/event-stream"}
    reply = httpx.post(f"{gateway.url}/llm/stream", json={"prompt": PROMPT}, headers=accept)
    *_, last, rest = reply.text.split("\n\n")
    kind, _, data = last.partition("\n")
    assert (kind, rest) == ("event: error", "")
    assert json.loads(data.removeprefix("data: "))["code"] == "stream_cut"
    assert "[DONE]" not in reply.text


def test_llm_health(
    gateway: Gateway, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`GET /health/llm` is 200 while the model can be reached and 500 once it can't; no tokens."""
    monkeypatch.setattr("llmitm.seeds.health.KEEP_SECONDS", 0)
    reply = curl(f"{gateway.url}/health/llm")
    assert (reply.status, reply.json["status"]) == (200, "healthy")
    assert [record.method for record in simulator.requests] == ["GET"]
    gateway.thread.run(simulator.stop())
    reply = curl(f"{gateway.url}/health/llm")
    assert (reply.status, reply.json["status"]) == (500, "unavailable")


def test_health(gateway: Gateway) -> None:
    """`GET /health` is 200 as long as the gateway runs."""
    reply = curl(f"{gateway.url}/health")
    assert (reply.status, reply.json["status"]) == (200, "healthy")


def test_circuit_breaker(gateway: Gateway, simulator: Simulator) -> None:
    """After three failures in a row the model is left alone, and its health says so."""
    simulator.fault = "500"
    url = f"{gateway.url}/llm/generate"
    assert post(url, {"prompt": PROMPT}).status == 503
    asked = simulator.total
    assert asked == 3
    reply = post(url, {"prompt": PROMPT})
    assert (reply.status, reply.json["code"]) == (503, "circuit_open")
    assert curl(f"{gateway.url}/health/llm").status == 500
    assert simulator.total == asked


def test_rate_limiter(starter: Starter, provider: tuple[Simulator, str]) -> None:
    """The gateway's limits hold for this endpoint as for any other."""
    key = {"id": "dev", "key": "sk-1", "limits": {"requests_per_minute": 1}}
    gateway = starter.gateway(
        {"seed_apis": True}, {"keys": {"keys": [key]}}, provider_url=provider[1]
    )
    auth = ("-H", "Authorization: Bearer sk-1")
    replies = [post(f"{gateway.url}/llm/generate", {"prompt": PROMPT}, *auth) for _ in range(2)]
    assert [reply.status for reply in replies] == [200, 429]
    assert int(replies[1].headers["retry-after"]) > 0
    assert replies[1].json["code"] == "rate_limited"


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/llm/generate"), ("PUT", "/llm/stream"), ("POST", "/health/llm")]
)
def test_other_methods(gateway: Gateway, simulator: Simulator, method: str, path: str) -> None:
    """A wrong method is told which one is right, and no provider hears of it."""
    reply = httpx.request(method, gateway.url + path)
    assert (reply.status_code, reply.headers["allow"]) in [(405, "POST"), (405, "GET")]
    assert simulator.total == 0
