"""Clients that are too slow, and providers that wait for slow clients."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.support.rig import AUTH, CHAT, JSON, Rig, rigged
from tests.support.wire import reply, request

BINARY = {**AUTH, "content-type": "application/octet-stream"}


@pytest.fixture
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """A gateway that waits for nobody."""
    limits = {"header_timeout": 1, "body_timeout": 1, "idle_timeout": 1, "buffer_body": 1000}
    with rigged(tmp_path_factory.mktemp("hasty"), http=limits) as rig:
        yield rig
        rig.reset()


def test_slow_clients(hasty: Rig) -> None:
    """A head that doesn't end is a 408, so is a body; a connection without a request is closed."""
    slow_head = hasty.client()
    slow_head.send(b"GET /api/version HTTP/1.1\r\nhost: x\r\n")
    silent = hasty.client()
    slow_body = hasty.client()
    slow_body.send(request("POST", CHAT, None, {**JSON, "content-length": "100"}), b'{"model": ')
    answer = slow_head.message()
    assert answer.status == 408
    assert "error" in answer.json
    assert slow_head.closed()
    answer = slow_body.message()
    assert answer.status == 408
    assert "error" in answer.json
    assert slow_body.closed()
    assert silent.closed()
    assert [r.status for r in hasty.watcher.wait(2)] == [408, 408]


def test_slow_upload(hasty: Rig) -> None:
    """A streamed body that stops is a 408 too; the provider's connection is cut, not blamed."""
    client = hasty.client()
    kind = {**BINARY, "content-length": "9000"}
    client.send(request("POST", "/v1/uploads/1", None, kind), bytes(3000))
    peer = hasty.accept()
    peer.head()
    assert client.message().status == 408
    peer.rest()
    record = hasty.watcher.wait()[0]
    assert record.error == "client_timeout"
    assert record.attempts[0].error == "client_timeout"


def test_provider_waits_for_a_slow_upload(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A provider's time to answer begins when it has the whole request, however long that takes."""
    timeouts = {"first_token": 1.5, "first_byte": 1.5}
    policies = {"resilience": {"timeouts": timeouts, "retry": {"attempts": 1}}}
    limits = {"buffer_body": 1000}
    with rigged(tmp_path_factory.mktemp("patient"), policies, http=limits) as rig:
        client = rig.client()
        headers = {**BINARY, "content-length": "8000"}
        client.send(request("PUT", "/v1/uploads/1", None, headers), bytes(2000))
        peer = rig.accept()
        peer.head()
        peer.exactly(2000)
        for _ in range(3):
            time.sleep(0.75)  # together longer than the provider is given
            client.send(bytes(2000))
            peer.exactly(2000)
        peer.send(reply(200, b"{}"))
        assert client.message().status == 200
        rig.reset()
