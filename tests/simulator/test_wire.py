"""Every fault as a client meets it on the wire, in each dialect where they differ."""

from __future__ import annotations

import json
import time

import pytest

from llmitm.simulator import Simulator, expected_text
from tests.simulator.raw import DIALECTS, MESSAGES, PATHS, Connection, Post, Raw, ask

WHOLE = expected_text(MESSAGES, 6)
FIRST_TOKENS = expected_text(MESSAGES, 3).split()

TOKEN = {
    "openai": b'"content":"',
    "responses": b'data: {"type":"response.output_text.delta',
    "anthropic": b"text_delta",
    "ollama": b'"done":false',
}
FINISH = {
    "openai": b'"finish_reason":"stop"',
    "responses": b"event: response.completed",
    "anthropic": b'"stop_reason":"end_turn"',
    "ollama": b'"done":true',
}
END = {"openai": b"[DONE]", "anthropic": b"event: message_stop"}
CHUNKED_END = b"\r\n0\r\n\r\n"

pytestmark = pytest.mark.parametrize("dialect", DIALECTS)


def tokens_in(dialect: str, body: bytes) -> int:
    opening = b'"role":"assistant","content":"' if dialect == "openai" else b"\0"
    return body.count(TOKEN[dialect]) - body.count(opening)


async def stream(connection: Connection, dialect: str, fault: str) -> Raw:
    await connection.post(PATHS[dialect], ask(dialect, fault, stream=True), close=True)
    return await connection.read_all()


async def whole(connection: Connection, dialect: str, fault: str) -> Raw:
    await connection.post(PATHS[dialect], ask(dialect, fault, stream=False), close=True)
    return await connection.read_all()


async def test_no_fault(connection: Connection, dialect: str) -> None:
    """A sound stream has its tokens, its finish, its end, and the last chunk."""
    raw = await stream(connection, dialect, "ok")
    assert raw.head.startswith("HTTP/1.1 200 OK")
    assert tokens_in(dialect, raw.body) == 6
    assert FINISH[dialect] in raw.body
    assert END.get(dialect, b"") in raw.body
    assert raw.body.endswith(CHUNKED_END)


async def test_bad_gateway_is_html(post: Post, dialect: str) -> None:
    """A 502 comes from a proxy that speaks no JSON."""
    reply = await post(PATHS[dialect], ask(dialect, "502", stream=True))
    assert (reply.status, reply.content_type) == (502, "text/html")
    assert "<h1>502 Bad Gateway</h1>" in await reply.text()


@pytest.mark.parametrize(("fault", "reset"), [("reset", True), ("hangup", False)])
async def test_closed_before_headers(
    connection: Connection, dialect: str, fault: str, reset: bool
) -> None:
    """The connection goes without a byte, with a RST or in good order."""
    raw = await stream(connection, dialect, fault)
    assert (raw.data, raw.reset) == (b"", reset)


async def test_silence(sim: Simulator, connection: Connection, dialect: str) -> None:
    """Takes the request and says nothing until the client leaves."""
    await connection.post(PATHS[dialect], ask(dialect, "silence", stream=True))
    await sim.arrived(1)
    assert sim.active == 1
    connection.close()
    await sim.settled()
    record = sim.requests[0]
    assert (record.outcome, record.tokens, record.fault) == ("gone", 0, "silence")


async def test_slow_headers(connection: Connection, dialect: str) -> None:
    """The status line is there long before the headers are."""
    await connection.post(PATHS[dialect], ask(dialect, "slow-headers:seconds=0.8", stream=True))
    assert await connection.read_until(b"\r\n") == b"HTTP/1.1 200 OK\r\n"
    before = time.monotonic()
    await connection.read_until(b"\r\n\r\n")
    assert time.monotonic() - before > 0.1


async def test_slow_first_token(connection: Connection, dialect: str) -> None:
    """The headers are there long before the first token is; everything comes."""
    fault = "slow-first-token:first-token=0.8"
    await connection.post(PATHS[dialect], ask(dialect, fault, stream=True), close=True)
    await connection.read_until(b"\r\n\r\n")
    before = time.monotonic()
    await connection.read_until(FIRST_TOKENS[0].encode())
    assert time.monotonic() - before > 0.1
    assert (await connection.read_all()).data.endswith(CHUNKED_END)


@pytest.mark.parametrize(("fault", "reset"), [("cut", False), ("reset-mid", True)])
@pytest.mark.parametrize("after", [0, 1, 3, 99])
async def test_broken_off(
    connection: Connection, dialect: str, fault: str, reset: bool, after: int
) -> None:
    """Ends after so many tokens, at the latest before the finish, without the last chunk."""
    raw = await stream(connection, dialect, f"{fault}:after={after}")
    assert tokens_in(dialect, raw.body) == min(after, 6)
    assert FINISH[dialect] not in raw.body
    assert not raw.body.endswith(CHUNKED_END)
    assert raw.reset is reset


@pytest.mark.parametrize(("fault", "reset"), [("cut", False), ("reset-mid", True)])
async def test_whole_body_broken_off(
    connection: Connection, dialect: str, fault: str, reset: bool
) -> None:
    """Half of what the Content-Length promises."""
    raw = await whole(connection, dialect, fault)
    promised = int(raw.head.lower().partition("content-length: ")[2].split()[0])
    assert len(raw.body) == promised // 2
    assert raw.reset is reset


async def test_stall(sim: Simulator, connection: Connection, dialect: str) -> None:
    """Three tokens, then nothing, on a connection that stays open."""
    await connection.post(PATHS[dialect], ask(dialect, "stall:after=3", stream=True))
    for word in FIRST_TOKENS:
        await connection.read_until(word.encode())
    assert sim.active == 1
    connection.close()
    await sim.settled()
    assert (sim.requests[0].outcome, sim.requests[0].tokens) == ("gone", 3)


async def test_malformed(connection: Connection, dialect: str) -> None:
    """One event more, which is no JSON; all that belongs to the answer comes as well."""
    raw = await stream(connection, dialect, "malformed:after=2")
    assert FINISH[dialect] in raw.body
    assert raw.body.endswith(CHUNKED_END)
    broken = [event for event in events(raw.body) if not is_json(event)]
    assert len(broken) == 1
    assert tokens_in(dialect, raw.body.partition(broken[0] + b"\n")[0]) == 2
    assert tokens_in(dialect, raw.body) == 6


async def test_error_event(connection: Connection, dialect: str) -> None:
    """The dialect's own error is the last event of a stream that ends in good order."""
    raw = await stream(connection, dialect, "error-event:after=2")
    assert tokens_in(dialect, raw.body) == 2
    assert FINISH[dialect] not in raw.body
    assert END.get(dialect, b"\0") not in raw.body
    assert raw.body.endswith(CHUNKED_END)
    last = json.loads(events(raw.body)[-1])
    if dialect == "responses":
        assert last["type"] == "error"
        assert last["code"] == "server_is_overloaded"
        assert last["sequence_number"] == 6
    elif dialect == "anthropic":
        assert last["error"]["type"] == "overloaded_error"
        assert b"event: error\n" in raw.body
    else:
        assert last.keys() == {"error"}


async def test_no_done(connection: Connection, dialect: str) -> None:
    """The finish is there and the end mark is not."""
    raw = await stream(connection, dialect, "no-done")
    assert FINISH[dialect] in raw.body
    assert END.get(dialect, b"\0") not in raw.body
    assert raw.body.endswith(CHUNKED_END)


async def test_no_finish(connection: Connection, dialect: str) -> None:
    """All tokens are there, neither finish nor end mark is."""
    raw = await stream(connection, dialect, "no-finish")
    assert tokens_in(dialect, raw.body) == 6
    assert FINISH[dialect] not in raw.body
    assert END.get(dialect, b"\0") not in raw.body
    assert raw.body.endswith(CHUNKED_END)


@pytest.mark.parametrize("streamed", [False, True])
async def test_empty(post: Post, dialect: str, streamed: bool) -> None:
    """200 and not a byte."""
    reply = await post(PATHS[dialect], ask(dialect, "empty", stream=streamed))
    assert (reply.status, await reply.read()) == (200, b"")


@pytest.mark.parametrize(
    ("fault", "streamed"), [("garbage", True), ("garbage", False), ("malformed", False)]
)
async def test_garbage(post: Post, dialect: str, fault: str, streamed: bool) -> None:
    """200 and something that is no JSON."""
    reply = await post(PATHS[dialect], ask(dialect, fault, stream=streamed))
    assert reply.status == 200
    assert not is_json(await reply.read())


async def test_truncated(post: Post, dialect: str) -> None:
    """HTTP is in order, the JSON in it is not."""
    reply = await post(PATHS[dialect], ask(dialect, "truncated", stream=False))
    body = await reply.read()
    assert len(body) == int(reply.headers["content-length"])
    assert body.startswith(b"{")
    assert not is_json(body)


async def test_truncated_stream(connection: Connection, dialect: str) -> None:
    """HTTP is in order, the last event is not."""
    raw = await stream(connection, dialect, "truncated:after=2")
    assert raw.body.endswith(CHUNKED_END)
    assert not is_json(events(raw.body)[-1])
    assert FINISH[dialect] not in raw.body


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("by", [10, -10])
async def test_wrong_length(connection: Connection, dialect: str, streamed: bool, by: int) -> None:
    """The whole body is there, and the Content-Length is another."""
    send = stream if streamed else whole
    raw = await send(connection, dialect, f"wrong-length:by={by}")
    promised = int(raw.head.lower().partition("content-length: ")[2].split()[0])
    assert promised == len(raw.body) + by
    assert FINISH[dialect] in raw.body or not streamed


@pytest.mark.parametrize("streamed", [False, True])
async def test_content_filter_finish(post: Post, dialect: str, streamed: bool) -> None:
    """A few tokens, then the dialect's word for a filter; Ollama has none."""
    words = {
        "openai": '"finish_reason":"content_filter"',
        "responses": '"incomplete_details":{"reason":"content_filter"}',
        "anthropic": '"stop_reason":"refusal"',
        "ollama": '"done_reason":"stop"',
    }
    asked = ask(dialect, "content-filter-finish:after=2", stream=streamed)
    body = await (await post(PATHS[dialect], asked)).text()
    assert words[dialect] in body
    assert FIRST_TOKENS[1] in body
    assert FIRST_TOKENS[2] not in body


async def test_refuse_prefill(post: Post, dialect: str) -> None:
    """An assistant message given last is a 400; anything else is answered."""
    asked = ask(dialect, "refuse-prefill", stream=False)
    assert (await post(PATHS[dialect], asked)).status == 200
    field = "input" if dialect == "responses" else "messages"
    asked[field] = [*MESSAGES, {"role": "assistant", "content": FIRST_TOKENS[0]}]
    assert (await post(PATHS[dialect], asked)).status == 400


async def test_whole_stall_waits_with_half_a_body(
    sim: Simulator, connection: Connection, dialect: str
) -> None:
    """Half of a whole body, then nothing, on a connection that stays open."""
    await connection.post(PATHS[dialect], ask(dialect, "stall", stream=False))
    await connection.read_until(b"\r\n\r\n{")
    assert sim.active == 1
    connection.close()
    await sim.settled()
    assert sim.requests[0].outcome == "gone"


async def test_whole_error_event_is_a_500(post: Post, dialect: str) -> None:
    """What a stream says in an event, a whole reply says with its status."""
    reply = await post(PATHS[dialect], ask(dialect, "error-event", stream=False))
    assert reply.status == 500
    assert "error" in await reply.json()


async def test_http_1_0_streams_end_with_the_connection(
    connection: Connection, dialect: str
) -> None:
    """An old client gets no chunks."""
    await connection.post(PATHS[dialect], ask(dialect, "ok", stream=True), version="1.0")
    raw = await connection.read_all()
    assert "transfer-encoding" not in raw.head
    assert "connection: close" in raw.head
    assert all(is_json(event) for event in raw_events(raw.body))


def events(chunked: bytes) -> list[bytes]:
    """The JSON of each event in a chunked body, `[DONE]` left out."""
    body, plain = chunked, b""
    while body:
        size, _, rest = body.partition(b"\r\n")
        length = int(size, 16)
        plain, body = plain + rest[:length], rest[length + 2 :]
        if not length:
            break
    return raw_events(plain)


def raw_events(plain: bytes) -> list[bytes]:
    lines = plain.splitlines()
    data = [line.removeprefix(b"data: ") for line in lines if not line.startswith(b"event:")]
    return [line for line in data if line and line != b"[DONE]"]


def is_json(data: bytes) -> bool:
    try:
        json.loads(data)
    except ValueError:
        return False
    return True
