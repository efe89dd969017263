"""An operator ends calls that are on their way."""

from __future__ import annotations

import json
import socket
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anthropic
import openai
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.support.gateway import KEY, Gateway, Starter
from tests.support.inspector import PATHS, Flow, Inspecting, ask, inspected

PACED = {"pace": 2}  # tokens a second; each call asks for 20
HELLO: Any = [{"role": "user", "content": "hello"}]
MESSAGE = "An operator stopped this request."


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


def is_call(flow: Flow) -> bool:
    return not flow["comment"].startswith("↳")


def streams(flow: Flow) -> bool:
    return is_call(flow) and "streaming" in flow["comment"]


def kill(inspecting: Inspecting, flow: Flow) -> None:
    inspecting.post(f"/flows/{flow['id']}/kill")


def ledger(gateway: Gateway) -> list[tuple[Any, ...]]:
    assert gateway.master.runtime.ledger.flush(60)
    with sqlite3.connect(gateway.directory / "ledger.db") as database:
        query = "SELECT status, error, completion_tokens, estimated FROM calls ORDER BY ts"
        return list(database.execute(query).fetchall())


SAID = {
    "openai": b'"code":"killed"',
    "anthropic": b"event: error\ndata: ",
    "ollama": b'{"error":"An operator stopped this request."}',
}
WHOLE = {"openai": b"[DONE]", "anthropic": b"message_stop", "ollama": b'"done":true'}


@pytest.mark.parametrize("dialect", PATHS)
def test_a_stream_is_ended(starter: Starter, pool: ThreadPoolExecutor, dialect: str) -> None:
    """The client gets its dialect's error and no end mark; what it had is what it pays for."""
    gateway, simulator = inspected(starter, PACED)
    inspecting = Inspecting(gateway)
    call = pool.submit(ask, gateway, dialect=dialect, stream=True)
    (running,) = inspecting.wait(lambda f: streams(f) and "first token" in f["comment"])
    kill(inspecting, running)
    body = call.result(60).content
    assert SAID[dialect] in body and WHOLE[dialect] not in body
    (ended,) = inspecting.wait(lambda f: is_call(f) and f["marked"])
    assert ended["comment"].endswith("200 killed") and ended["marked"] == "❌"
    assert MESSAGE in ended["error"]["msg"]
    inspecting.wait(lambda f: "200 killed" in f["comment"] and not is_call(f))
    ((status, error, tokens, estimated),) = ledger(gateway)
    assert (status, error, estimated) == (200, "killed", 1)
    assert 0 < tokens < 20
    assert gateway.master.runtime.targets.load.in_flight("sim/*") == 0
    starter.thread.run(simulator.settled())
    assert [record.outcome for record in simulator.requests] == ["gone"]


@pytest.mark.parametrize("row", ["call", "attempt"])
def test_a_call_without_an_answer_is_ended(
    starter: Starter, pool: ThreadPoolExecutor, row: str
) -> None:
    """Whichever of its rows is ended, the client is refused, and no target is blamed."""
    gateway, _ = inspected(starter)
    inspecting = Inspecting(gateway)
    call = pool.submit(ask, gateway, model="x@silence")
    (running,) = inspecting.wait(
        lambda f: is_call(f) == (row == "call") and "waiting" in f["comment"]
    )
    kill(inspecting, running)
    reply = call.result(60)
    assert reply.status_code == 403
    assert reply.json()["error"]["code"] == "killed"
    assert reply.headers["x-should-retry"] == "false"
    assert [record[:2] for record in ledger(gateway)] == [(403, "killed")]
    assert ask(gateway).status_code == 200


def test_a_client_that_reads_nothing_is_cut_off(starter: Starter) -> None:
    """Whoever leaves what is sent to it lying can't keep a killed call."""
    gateway, _ = inspected(starter, {"tokens": 2_000_000})
    host, port = gateway.master.address
    body = json.dumps({"model": "gpt-4o", "stream": True, "messages": HELLO}).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\n"
    with socket.create_connection((host, port)) as client:
        client.sendall(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
        inspecting = Inspecting(gateway)
        (running,) = inspecting.wait(streams)
        kill(inspecting, running)
        inspecting.wait(lambda f: is_call(f) and f["comment"].endswith("200 killed"))
    assert [record[:2] for record in ledger(gateway)] == [(200, "killed")]


def test_a_session_is_ended(starter: Starter) -> None:
    """A WebSocket is closed, with a reason that says by whom."""
    gateway, _ = inspected(starter)
    url = gateway.url.replace("http", "ws") + "/v1/realtime?model=gpt-realtime"
    inspecting = Inspecting(gateway)
    with connect(url, additional_headers={"authorization": f"Bearer {KEY}"}) as session:
        session.recv()
        (running,) = inspecting.wait(is_call)
        kill(inspecting, running)
        with pytest.raises(ConnectionClosed) as closed:
            session.recv(60)
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (
        1008,
        "An operator stopped this request.",
    )
    inspecting.wait(lambda f: is_call(f) and f["comment"].endswith("101 killed"))
    assert [record[:2] for record in ledger(gateway)] == [(101, "killed")]


def test_sdks_raise(starter: Starter, pool: ThreadPoolExecutor) -> None:
    """The SDKs raise, and do not try again."""
    gateway, simulator = inspected(starter, PACED)
    inspecting = Inspecting(gateway)

    def of_openai() -> None:
        client = openai.OpenAI(api_key=KEY, base_url=f"{gateway.url}/v1")
        list(client.chat.completions.create(model="gpt-4o", messages=HELLO, stream=True))

    def of_anthropic() -> None:
        client = anthropic.Anthropic(api_key=KEY, base_url=gateway.url)
        with client.messages.stream(model="claude", max_tokens=20, messages=HELLO) as stream:
            stream.get_final_message()

    for work, fault in ((of_openai, openai.APIError), (of_anthropic, anthropic.APIError)):
        call = pool.submit(work)
        (running,) = inspecting.wait(lambda f: streams(f) and "first token" in f["comment"])
        kill(inspecting, running)
        with pytest.raises(fault, match="operator"):
            call.result(60)
        inspecting.wait(lambda f, one=running: f["id"] == one["id"] and "killed" in f["comment"])
    assert len(simulator.requests) == 2


def test_what_has_ended_stays(starter: Starter) -> None:
    """Ending a call that is over, or everything at once, changes nothing of other calls."""
    gateway, _ = inspected(starter)
    assert ask(gateway).status_code == 200
    inspecting = Inspecting(gateway)
    (call,) = inspecting.calls()
    kill(inspecting, call)
    inspecting.post("/flows/kill")
    (after,) = inspecting.calls()
    assert after["comment"] == call["comment"] and "error" not in after
