"""Kept answers where more is at work: simple endpoints, scripts, proxy mode, inspector, ledger."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.calls import watch
from tests.support.gateway import KEY, Gateway, Starter
from tests.support.inspector import Inspecting

SECONDS = 60.0
LOOPBACK = "127.0.0.1:0"
LISTEN = {"gateway": LOOPBACK, "admin": LOOPBACK, "inspector": None}
ROUTE = {"model": "*", "targets": [{"provider": "sim", "model": "m"}], "cache": {"ttl": "1h"}}
AUTH = {"authorization": f"Bearer {KEY}"}
CHAT = "/v1/chat/completions"
HELLO = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
# It edits whole answers and streams, as scripts for mitmproxy do.
SHOUT = """
import json

def responseheaders(flow):
    if flow.response.stream:
        flow.response.stream = lambda data: data.upper()

def response(flow):
    if flow.response.raw_content:
        flow.response.text = flow.response.text + "!"
"""


def begin(starter: Starter, **settings: Any) -> Gateway:
    _, url = starter.simulator(tokens=12)
    return starter.gateway(
        {"listen": LISTEN, **settings}, {"routes": {"routes": [ROUTE]}}, provider_url=url
    )


def twice(gateway: Gateway, path: str, body: Any, **options: Any) -> list[httpx.Response]:
    """Two replies, the second to a request that was sent when the first call was over."""
    watcher, replies = watch(gateway), []
    for number in (1, 2):
        replies.append(httpx.post(gateway.url + path, json=body, timeout=SECONDS, **options))
        watcher.wait(number)
    assert [reply.headers.get("x-llmitm-cache") for reply in replies] == ["miss", "hit"]
    return replies


@pytest.mark.parametrize("accept", ["*/*", "text/event-stream"])
def test_simple_stream(starter: Starter, accept: str) -> None:
    """A simple endpoint's stream is the same again, as text or as events."""
    gateway = begin(starter, seed_apis=True, auth="anonymous")
    asked = {"prompt": "Say it again", "model": "m"}
    first, second = twice(gateway, "/llm/stream", asked, headers={"accept": accept})
    assert first.content == second.content != b""
    assert first.headers["content-type"] == second.headers["content-type"]


def test_simple_answer(starter: Starter) -> None:
    """A simple endpoint says who once wrote a kept answer, and that it used nothing now."""
    gateway = begin(starter, seed_apis=True, auth="anonymous")
    asked = {"prompt": "Say it again", "model": "m"}
    first, second = (reply.json() for reply in twice(gateway, "/llm/generate", asked))
    changing = {"usage", "request_id", "latency_ms"} & set(first)
    assert {k: first[k] for k in first.keys() - changing} == {
        k: second[k] for k in second.keys() - changing
    }


def test_simple_endpoints_are_apart(starter: Starter) -> None:
    """A chat that a simple endpoint made is not that of a client who sends the same one."""
    gateway = begin(starter, seed_apis=True, auth="anonymous")
    asked = {"prompt": "hello", "model": "m"}
    watcher = watch(gateway)
    httpx.post(gateway.url + "/llm/generate", json=asked, timeout=SECONDS)
    sent = watcher.wait(1) and watcher.flows[0].request.raw_content
    reply = httpx.post(gateway.url + CHAT, content=sent, timeout=SECONDS)
    assert reply.headers["x-llmitm-cache"] == "miss"


@pytest.mark.parametrize("stream", [False, True])
def test_scripts(starter: Starter, tmp_path: Path, stream: bool) -> None:
    """A script edits a kept answer as it edited the first one, and only once."""
    (tmp_path / "shout.py").write_text(SHOUT)
    gateway = begin(starter, addons=["default", "./shout.py"])
    first, second = twice(gateway, CHAT, {**HELLO, "stream": stream}, headers=AUTH)
    assert first.content == second.content
    assert first.text.endswith("DATA: [DONE]\n\n" if stream else "}!")


def test_proxy_mode(starter: Starter) -> None:
    """A client that comes through the proxy gets kept answers too."""
    mode = "regular@127.0.0.1:0"
    gateway = begin(starter, listen={**LISTEN, "intercept": [mode]}, intercept={"ca": "ca"})
    host, port, *_ = gateway.master.addons.get("proxyserver").servers[mode].listen_addrs[0]
    url, proxy = f"http://api.openai.com{CHAT}", f"http://{host}:{port}"
    # A whole answer is kept before it is sent.
    first, second = (
        httpx.post(url, json=HELLO, headers=AUTH, proxy=proxy, timeout=SECONDS) for _ in range(2)
    )
    assert second.headers["x-llmitm-cache"] == "hit"
    assert first.content == second.content


@pytest.mark.parametrize("stream", [False, True])
def test_inspector(starter: Starter, stream: bool) -> None:
    """The inspector shows a kept answer, that it came from the cache, and for nothing."""
    gateway = begin(starter, listen={**LISTEN, "inspector": LOOPBACK})
    first, _ = twice(gateway, CHAT, {**HELLO, "stream": stream}, headers=AUTH)
    page = Inspecting(gateway)
    (flow,) = page.wait(
        lambda flow: flow["comment"].startswith("m · cache · $0") and "200 ok" in flow["comment"]
    )
    assert page.body(flow, "response") == first.content
    page._http.close()


def test_usage(starter: Starter) -> None:
    """The ledger has a kept answer's call, under the target `cache`, for 0 dollars."""
    gateway = begin(starter)
    twice(gateway, CHAT, HELLO, headers=AUTH)
    assert gateway.master.runtime.ledger.flush(SECONDS)
    rows = httpx.get(f"{gateway.admin_url}/admin/usage?by=target").json()["usage"]
    (row,) = (row for row in rows if row["group"] == "cache")
    assert (row["calls"], row["errors"], row["completion_tokens"]) == (1, 0, 0)
    assert float(row["cost_usd"]) == 0
    (call, _) = httpx.get(f"{gateway.admin_url}/admin/calls").json()["calls"]
    assert (call["target"], call["attempts"], call["cost_usd"]) == ("cache", [], 0)
