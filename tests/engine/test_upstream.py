"""Requests as providers get them, the connections they take, and proxies on the way."""

from __future__ import annotations

import asyncio
import functools
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from llmitm.engine.answer import HIGH_WATER
from llmitm.engine.origin import Origin, Proxy, origin_of
from llmitm.engine.upstream import Answer, Body, Upstream, UpstreamError, framing, request_head
from llmitm.policy.outcome import Failure
from tests.support.certificates import Authority
from tests.support.lines import LENGTH
from tests.support.origin import Caller, Server, serving, until

ORIGIN = Origin("https", "api.example", 443)
TIMEOUT = 5.0
PLAIN_PROXY = Proxy("proxy", 1, "Basic YTpi")


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The environment of whoever runs the tests is not the subject."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    origin_of.cache_clear()
    yield
    origin_of.cache_clear()


def lines(head: bytes) -> list[str]:
    assert head.endswith(b"\r\n\r\n")
    return head.decode("latin-1").strip("\r\n").split("\r\n")


@pytest.mark.parametrize(
    ("path", "first"),
    [
        ("/v1/chat", "POST /v1/chat HTTP/1.1"),
        ("", "POST / HTTP/1.1"),
        ("/v1/a?b=c&d=%20", "POST /v1/a?b=c&d=%20 HTTP/1.1"),
        ("/a b", "POST /a%20b HTTP/1.1"),
        (
            "/x HTTP/1.1\r\nevil: 1\r\n\r\n",
            "POST /x%20HTTP/1.1%0D%0Aevil:%201%0D%0A%0D%0A HTTP/1.1",
        ),
        ("/é", "POST /%C3%A9 HTTP/1.1"),
        ("/\udcff", "POST /%FF HTTP/1.1"),
    ],
)
def test_request_line(path: str, first: str) -> None:
    """The target as it is, but for what can't be in one."""
    assert lines(request_head("POST", path, ORIGIN, {}, None)) == [first, "host: api.example"]


@pytest.mark.parametrize(
    ("headers", "sent"),
    [
        ({"a": "b", "C": "d"}, ["a: b", "C: d"]),
        ({"a": "b\tc"}, ["a: b\tc"]),
        ({"a": "b\r\nevil: 1"}, []),
        ({"a": "b\nevil: 1"}, []),
        ({"a": "b\0"}, []),
        ({"a\r\nevil": "1"}, []),
        ({"a: b\r\nc": "1"}, []),
        ({"a b": "1", "": "1", "a:": "1"}, []),
        ({"Content-Length": "7", "Transfer-Encoding": "chunked", "Connection": "close"}, []),
    ],
)
def test_headers(headers: dict[str, str], sent: list[str]) -> None:
    """No header makes two of one, and none of them decides how the message is framed."""
    head = request_head("POST", "/", ORIGIN, headers, "content-length: 0")
    assert lines(head)[1:] == ["host: api.example", *sent, "content-length: 0"]


def test_host_may_be_another() -> None:
    """A host that is configured takes the place of the address's own, and is the only one."""
    assert lines(request_head("GET", "/", ORIGIN, {"Host": "tenant.example"}, None))[1:] == [
        "host: tenant.example"
    ]


@pytest.mark.parametrize(
    ("value", "raw"), [("é", b"\xe9"), ("\xc3\xa9", b"\xc3\xa9"), ("日本", "日本".encode())]
)
def test_header_bytes(value: str, raw: bytes) -> None:
    """Bytes that a client sent arrive as they were; what Latin-1 lacks goes as UTF-8."""
    assert b"\r\nx-name: " + raw + b"\r\n" in request_head(
        "GET", "/", ORIGIN, {"x-name": value}, None
    )


async def stream(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


@pytest.mark.parametrize(
    ("method", "body", "length", "header"),
    [
        ("POST", b"abc", None, "content-length: 3"),
        ("POST", b"", None, "content-length: 0"),
        ("POST", None, None, "content-length: 0"),
        ("GET", None, None, None),
        ("DELETE", None, None, None),
        ("GET", b"abc", None, "content-length: 3"),
        ("POST", stream(), 5, "content-length: 5"),
        ("POST", stream(), None, "transfer-encoding: chunked"),
    ],
)
def test_framing(method: str, body: Body, length: int | None, header: str | None) -> None:
    """One header says where the body ends, where a body is to be expected at all."""
    assert framing(method, body, length) == header


@pytest.mark.parametrize(
    ("origin", "first", "more"),
    [
        (
            Origin("http", "a.b", 8080, PLAIN_PROXY),
            "GET http://a.b:8080/x?y HTTP/1.1",
            ["host: a.b:8080", "proxy-authorization: Basic YTpi"],
        ),
        (
            Origin("http", "::2", 80, Proxy("proxy", 1)),
            "GET http://[::2]/x?y HTTP/1.1",
            ["host: [::2]"],
        ),
        (Origin("https", "a.b", 443, PLAIN_PROXY), "GET /x?y HTTP/1.1", ["host: a.b"]),
    ],
)
def test_proxied_head(origin: Origin, first: str, more: list[str]) -> None:
    """A proxy gets the whole URL and its credentials; behind a tunnel only the origin listens."""
    assert lines(request_head("GET", "/x?y", origin, {}, None)) == [first, *more]


@asynccontextmanager
async def sending() -> AsyncIterator[tuple[Upstream, Server]]:
    async with serving() as server:
        upstream = Upstream()
        try:
            yield upstream, server
        finally:
            await upstream.close()
            assert upstream.open_connections == 0


def post(
    upstream: Upstream, server: Server, body: Body = b"{}", **headers: str
) -> asyncio.Task[Answer]:
    return asyncio.ensure_future(
        upstream.send("POST", f"{server.url}/v1/x?y=z", headers, body, TIMEOUT)
    )


async def answered(caller: Caller, asking: asyncio.Task[Answer]) -> bytes:
    caller.send(LENGTH)
    return await (await asking).read(99)


async def test_request_and_answer() -> None:
    """A request goes out as it was meant, and what comes back is the answer."""
    async with sending() as (upstream, server):
        asking = post(upstream, server, b'{"a": 1}', accept="x/y")
        caller, request = await server.asked()
        assert request.first == "POST /v1/x?y=z HTTP/1.1"
        assert request.headers == {
            "host": f"127.0.0.1:{server.port}", "accept": "x/y", "content-length": "8",
        }  # fmt: skip
        assert request.body == b'{"a": 1}'
        assert await answered(caller, asking) == b"hello"
        assert upstream.open_connections == 1


@pytest.mark.parametrize(
    ("length", "header"), [("6", "content-length"), (None, "transfer-encoding")]
)
async def test_streamed_request(length: str | None, header: str) -> None:
    """A streamed body goes by its length or in chunks, on a connection that nobody used before."""
    async with sending() as (upstream, server):
        asking = post(upstream, server)
        first, _ = await server.asked()
        await answered(first, asking)
        headers = {} if length is None else {"Content-Length": length}
        asking = asyncio.ensure_future(
            upstream.send("PUT", f"{server.url}/", headers, stream(b"abc", b"def"), TIMEOUT)
        )
        second, request = await server.asked()
        assert (request.body, header in request.headers) == (b"abcdef", True)
        assert await answered(second, asking) == b"hello"
        assert upstream.open_connections == 2


@pytest.mark.parametrize("url", ["ftp://a/b", "http://", "nonsense", "http://a:99999/"])
async def test_no_address(url: str) -> None:
    """What is no address is a connection that never stood."""
    with pytest.raises(UpstreamError) as caught:
        await Upstream().send("GET", url, {}, None, TIMEOUT)
    assert caught.value.failure is Failure.CONNECT


async def test_head_request() -> None:
    """HEAD's answer has no body to wait for."""
    async with sending() as (upstream, server):
        asking = asyncio.ensure_future(upstream.send("HEAD", server.url, {}, None, TIMEOUT))
        caller, request = await server.asked()
        assert request.first == "HEAD / HTTP/1.1"
        caller.send(LENGTH[:-5])
        assert await (await asking).read(0) == b""


async def test_server_that_closes_after_each_answer() -> None:
    """A server that hangs up on idle connections is asked on new ones, and nobody notices."""
    async with sending() as (upstream, server):
        for _ in range(3):
            asking = post(upstream, server)
            caller, _ = await server.asked()
            assert await answered(caller, asking) == b"hello"
            caller.close()
            await until(lambda: upstream.open_connections == 0)


@pytest.mark.parametrize("how", ["closed", "reset"])
async def test_race_with_an_idle_timeout(how: str) -> None:
    """A request that crossed the server's hanging up is sent again, once, on a new connection."""
    async with sending() as (upstream, server):
        asking = post(upstream, server)
        caller, _ = await server.asked()
        await answered(caller, asking)
        (caller.close if how == "closed" else caller.reset)()
        asking = post(upstream, server, b"again")  # before the loop could hear of it
        second, request = await server.asked()
        assert request.body == b"again"
        assert await answered(second, asking) == b"hello"
        assert (len(server.callers), upstream.open_connections) == (2, 1)


async def test_the_second_failure_counts() -> None:
    """A server that closes the new connection too has failed."""
    async with sending() as (upstream, server):
        asking = post(upstream, server)
        caller, _ = await server.asked()
        await answered(caller, asking)
        asking = post(upstream, server)
        await caller.request()
        caller.close()
        second, _ = await server.asked()
        second.close()
        with pytest.raises(UpstreamError) as caught:
            await asking
        assert caught.value.failure is Failure.RESET
        assert len(server.callers) == 2


async def test_an_answer_that_began_is_not_asked_for_again() -> None:
    """A connection lost in an answer's head is a failure: the request was seen."""
    async with sending() as (upstream, server):
        asking = post(upstream, server)
        caller, _ = await server.asked()
        await answered(caller, asking)
        asking = post(upstream, server)
        await caller.request()
        caller.send(LENGTH[:20])
        caller.close()
        with pytest.raises(UpstreamError):
            await asking
        assert len(server.callers) == 1


def _is_behind(answer: Answer) -> bool:
    return answer._size > HIGH_WATER


async def test_tls(tmp_path: Path) -> None:
    """Over TLS too: a slow reader makes the server wait, and the connection is used again."""
    authority = Authority(tmp_path)
    size = 16 << 20
    async with serving(context=authority.server("127.0.0.1")) as server:
        upstream = Upstream(authority.client())
        url = f"https://127.0.0.1:{server.port}/"
        for _ in range(2):
            asking = asyncio.ensure_future(upstream.send("POST", url, {}, bytes(size), TIMEOUT))
            caller = server.callers[0] if server.callers else await server.accept()
            assert len((await caller.request()).body) == size
            caller.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size, bytes(size))
            answer = await asking
            await until(functools.partial(_is_behind, answer))
            await asyncio.sleep(0.05)
            assert answer._size < size // 4
            assert len(await answer.read(size)) == size
        assert (len(server.callers), upstream.open_connections) == (1, 1)
        await upstream.close()


async def test_cancelled() -> None:
    """Whoever gives up waiting for an answer leaves no connection behind."""
    async with sending() as (upstream, server):
        asking = post(upstream, server)
        caller, _ = await server.asked()
        asking.cancel()
        await caller.gone()
        assert upstream.open_connections == 0


async def test_http_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """HTTP_PROXY is asked for http addresses, but not for those on this machine."""
    async with serving() as proxy, sending() as (upstream, server):
        monkeypatch.setenv("HTTP_PROXY", f"http://ava:pw@127.0.0.1:{proxy.port}")
        asking = asyncio.ensure_future(
            upstream.send("GET", "http://provider.example/x", {}, None, TIMEOUT)
        )
        caller, request = await proxy.asked()
        assert request.first == "GET http://provider.example/x HTTP/1.1"
        assert request.headers["proxy-authorization"] == "Basic YXZhOnB3"
        assert await answered(caller, asking) == b"hello"
        asking = post(upstream, server)
        caller, request = await server.asked()
        assert "proxy-authorization" not in request.headers
        await answered(caller, asking)
        assert len(proxy.callers) == 1


async def test_https_proxy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """HTTPS_PROXY makes a tunnel, in which the origin gets nothing that is the proxy's."""
    authority = Authority(tmp_path)
    async with serving() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://ava:pw@127.0.0.1:{proxy.port}")
        upstream = Upstream(authority.client())
        asking = asyncio.ensure_future(
            upstream.send("GET", "https://provider.example/x", {}, None, TIMEOUT)
        )
        caller = await proxy.accept()
        assert (await caller.head()).first == "CONNECT provider.example:443 HTTP/1.1"
        caller.send(b"HTTP/1.1 200 OK\r\n\r\n")
        await caller.upgrade(authority.server("provider.example"))
        request = await caller.request()
        assert (request.first, request.headers) == ("GET /x HTTP/1.1", {"host": "provider.example"})
        assert await answered(caller, asking) == b"hello"
        await upstream.close()


async def test_proxy_that_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that won't connect is a connection that never stood."""
    async with serving() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        upstream = Upstream()
        asking = asyncio.ensure_future(
            upstream.send("GET", "https://provider.example/x", {}, None, TIMEOUT)
        )
        caller = await proxy.accept()
        await caller.head()
        caller.send(b"HTTP/1.1 503 Service Unavailable\r\n\r\n")
        with pytest.raises(UpstreamError, match="503") as caught:
            await asking
        assert caught.value.failure is Failure.CONNECT
        assert upstream.open_connections == 0


async def test_unusable_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy of a kind that isn't spoken fails with a message that says so."""
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:1080")
    with pytest.raises(UpstreamError, match="a proxy must be http://"):
        await Upstream().send("GET", "https://provider.example/", {}, None, TIMEOUT)
