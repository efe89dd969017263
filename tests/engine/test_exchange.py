"""How a call goes on from target to target, seen from both ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.calls import watch
from tests.support.gateway import Gateway, Starter
from tests.support.rig import AUTH, rigged
from tests.support.wire import reply


def test_bytes_are_of_one_target(tmp_path: Path) -> None:
    """Where bytes of one target's answer are out, none of another's are put behind them."""
    targets = [{"provider": "sim", "model": "a"}, {"provider": "sim", "model": "b"}]
    policies = {
        "routes": {"routes": [{"model": "voice", "targets": targets}]},
        "resilience": {"retry": {"attempts": 3, "base": 0.001}},
    }
    with rigged(tmp_path, policies) as rig:
        client = rig.post(b'{"model": "voice", "input": "hi"}', "/v1/audio/speech")
        peer, _ = rig.asked()
        peer.send(reply(200, b"", {"content-type": "audio/mpeg", "content-length": "6"}), b"one")
        assert client.head().status == 200
        assert client.chunk() == b"one"
        peer.close()
        assert client.closed()
        assert [a.target for a in rig.watcher.wait()[0].attempts] == ["sim/a"]
        rig.reset()


CLAUDE = {"provider": "claude", "model": "c"}
SIM = {"provider": "sim", "model": "m"}


def gateway_of(starter: Starter, *targets: dict[str, str], **resilience: Any) -> Gateway:
    _, url = starter.simulator()
    providers = {
        "sim": {"api": "openai", "base_url": f"{url}/v1"},
        "claude": {"api": "anthropic", "base_url": "http://127.0.0.1:9"},
    }
    policies = {
        "routes": {"routes": [{"model": "m", "targets": list(targets)}]},
        "resilience": resilience,
    }
    return starter.gateway({"providers": providers}, policies)


def ask(gateway: Gateway, path: str, body: dict[str, Any]) -> httpx.Response:
    return httpx.post(gateway.url + path, json={"model": "m", **body}, headers=AUTH)


@pytest.mark.parametrize(
    ("targets", "status", "attempts"),
    [
        ([CLAUDE, SIM], 200, ["sim/m"]),
        ([SIM, CLAUDE], 200, ["sim/m"]),
        ([{**SIM, "model": "m@500:times=1"}, CLAUDE], 200, ["sim/m@500:times=1"] * 2),
        ([CLAUDE], 400, []),
    ],
    ids=["first", "second", "second, and the first fails once", "only"],
)
def test_targets_whose_api_can_not_say_it(
    starter: Starter, targets: list[dict[str, str]], status: int, attempts: list[str]
) -> None:
    """A target that can't be told what was asked is passed over; without others it is a 400."""
    gateway = gateway_of(starter, *targets, retry={"base": 0.001, "budget": None})
    watcher = watch(gateway)
    tools = [{"type": "web_search"}]  # which OpenAI alone can do
    reply = ask(gateway, "/v1/responses", {"input": "hi", "tools": tools})
    assert reply.status_code == status
    if status == 400:
        assert reply.json()["error"]["param"].startswith("tools")
    assert [attempt.target for attempt in watcher.wait()[0].attempts] == attempts


def test_failure_after_comments(starter: Starter) -> None:
    """A call that failed once comments had begun its reply is recorded with the reply's status."""
    target = {"provider": "sim", "model": "m@503:latency=0.3"}
    gateway = gateway_of(starter, target, keep_alive=0.02, retry={"attempts": 1})
    watcher = watch(gateway)
    messages = [{"role": "user", "content": "hi"}]
    reply = ask(gateway, "/v1/chat/completions", {"stream": True, "messages": messages})
    assert reply.text.startswith(": keep-alive\n\n")
    assert "server_is_overloaded" in reply.text
    record = watcher.wait()[0]
    assert (reply.status_code, record.status, record.error) == (200, 200, "upstream_unavailable")
