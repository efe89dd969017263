"""What is kept of prompts and answers, by key."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tests.support.calls import watch
from tests.support.gateway import Gateway, Starter

MAIL = "Write to ava@example.com, card 4111 1111 1111 1111, key sk-abcdefghijklmnop1234."
KEYS = [
    {"id": level, "key": f"sk-{level}", "log_content": level}
    for level in ("off", "redacted", "full")
]


@pytest.fixture
def gateway(starter: Starter) -> Gateway:
    _, url = starter.simulator(tokens=5)
    return starter.gateway(policies={"keys": {"keys": KEYS}}, provider_url=url)


def kept(gateway: Gateway, level: str, path: str = "/v1/chat/completions", **extra: Any) -> Any:
    """What the admin API says was said in a call of the key of this level."""
    watcher = watch(gateway)
    body = {"model": "m", "messages": [{"role": "user", "content": MAIL}], "max_tokens": 9, **extra}
    headers = {"authorization": f"Bearer sk-{level}"}
    reply = httpx.post(gateway.url + path, json=body, headers=headers)
    assert reply.status_code == 200
    [record] = watcher.wait(1)
    assert gateway.master.runtime.ledger.flush(60)
    url = f"{gateway.admin_url}/admin/calls/{record.request_id}"
    return httpx.get(url).json()["content"], reply


def test_off(gateway: Gateway) -> None:
    """Nothing is kept."""
    assert kept(gateway, "off")[0] is None


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages", "/api/chat"])
def test_full(gateway: Gateway, path: str) -> None:
    """The request as it was sent and the answer as it was given, whole."""
    content, reply = kept(gateway, "full", path, stream=False)
    assert json.loads(content["request"])["messages"][0]["content"] == MAIL
    assert content["answer"] == reply.text


def test_full_of_a_stream(gateway: Gateway) -> None:
    """The text that was streamed."""
    content, reply = kept(gateway, "full", stream=True)
    chunks = [json.loads(line[6:]) for line in reply.text.splitlines() if line[6:7] == "{"]
    texts = [
        chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks if chunk["choices"]
    ]
    assert content["answer"] == "".join(texts) != ""


def test_redacted(gateway: Gateway) -> None:
    """Without addresses, numbers and keys; the JSON stays JSON."""
    content, _ = kept(gateway, "redacted")
    said = json.loads(content["request"])["messages"][0]["content"]
    assert said == "Write to [email], card [card], key [key]."
