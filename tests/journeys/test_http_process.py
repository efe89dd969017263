"""What is true of the whole process: its memory, and its end."""

from __future__ import annotations

import asyncio
import json
import resource
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import openai
import pytest

from tests.support import process
from tests.support.gateway import KEY
from tests.support.rig import AUTH, CHAT, JSON
from tests.support.wire import (
    DONE,
    SECONDS,
    STREAM_HEAD,
    Upstream,
    chat,
    completion,
    connect,
    finish,
    reply,
    request,
    token,
)

STREAMS = 1000
MEGABYTE = 1 << 20
ROUTES = {"routes": [{"model": "*", "targets": [{"provider": "sim", "model": "*"}]}]}


def chunked(*parts: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)


class SlowProvider:
    """Streams one token to everyone, and the next ones when it is told to."""

    def __init__(self) -> None:
        self.streams: list[asyncio.StreamWriter] = []
        self.all_there = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        await reader.readexactly(length)
        writer.write(STREAM_HEAD + chunked(token("first")))
        self.streams.append(writer)
        if len(self.streams) == STREAMS:
            self.all_there.set()

    def say(self, data: bytes) -> None:
        for writer in self.streams:
            writer.write(data)


async def open_stream(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A client that has its first token."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(request("POST", CHAT, chat(stream=True), JSON))
    await reader.readuntil(b"first")
    return reader, writer


async def stream_to_many(directory: Path) -> tuple[int, int]:
    """Open the streams, and end them; the gateway's bytes meanwhile and before."""
    provider = SlowProvider()
    server = await asyncio.start_server(provider.serve, "127.0.0.1", 0, backlog=STREAMS)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    gateway = await asyncio.to_thread(process.start, directory, url, open_files=1024)
    with gateway:
        before = gateway.memory
        clients = []
        for _ in range(0, STREAMS, 100):
            clients += await asyncio.gather(*(open_stream(gateway.url) for _ in range(100)))
        await provider.all_there.wait()
        for word in ("second", "third"):
            provider.say(chunked(token(word)))
            await asyncio.gather(*(reader.readuntil(word.encode()) for reader, _ in clients))
        metrics = await asyncio.to_thread(httpx.get, f"{gateway.admin_url}/metrics")
        assert f"llmitm_in_flight {STREAMS}.0" in metrics.text
        meanwhile = gateway.memory
        provider.say(chunked(finish(), DONE) + b"0\r\n\r\n")
        await asyncio.gather(*(reader.readuntil(b"\r\n0\r\n\r\n") for reader, _ in clients))
        server.close()
        for writer in (*provider.streams, *(writer for _, writer in clients)):
            writer.close()
    return meanwhile, before


@pytest.fixture
def many_files() -> Iterator[None]:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limits[1], limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)


@pytest.mark.usefixtures("many_files")
def test_a_thousand_streams(tmp_path: Path) -> None:
    """A thousand streams at once are all served, within 500 MB, though 1,024 files were allowed."""
    meanwhile, before = asyncio.run(stream_to_many(tmp_path))
    assert meanwhile < 500 * MEGABYTE, f"{meanwhile / MEGABYTE:.0f} MB"
    assert (meanwhile - before) / STREAMS < 200_000


def warm_up(gateway: process.Process, upstream: Upstream) -> None:
    """A call that needs all that is loaded in the background: its tokens must be counted."""
    with connect(gateway.url) as client:
        client.send(request("POST", CHAT, chat(), JSON))
        peer, _ = upstream.request()
        peer.send(reply(200, completion("hello")))
        assert client.message().status == 200


def test_large_upload_is_not_held(tmp_path: Path) -> None:
    """A file of 20 MB goes through without the gateway's memory growing by as much."""
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    part, end = bytes(4 * MEGABYTE), b"\r\n--b--"
    headers = {**AUTH, "content-type": "multipart/form-data; boundary=b"}
    headers["content-length"] = str(len(head) + 5 * len(part) + len(end))
    with Upstream() as upstream, process.start(tmp_path, upstream.url) as gateway:
        warm_up(gateway, upstream)
        before = most = gateway.memory
        with connect(gateway.url) as client:
            client.send(request("POST", "/v1/files", None, headers), head, part)
            peer = upstream.accept()
            peer.head()
            assert peer.exactly(len(head)) == head
            peer.exactly(len(part))
            for _ in range(4):
                client.send(part)
                peer.exactly(len(part))
                most = max(most, gateway.memory)
            client.send(end)
            assert peer.exactly(len(end)) == end
            peer.send(reply(200, b'{"id": "file-1"}'))
            assert client.message().json == {"id": "file-1"}
        assert most - before < 10 * MEGABYTE


def test_sigterm(tmp_path: Path) -> None:
    """SIGTERM lets a stream end, refuses new calls, writes out the ledger, and exits with 0."""
    with (
        Upstream() as upstream,
        process.start(tmp_path, upstream.url) as gateway,
        connect(gateway.url) as client,
    ):
        client.send(request("POST", CHAT, chat(stream=True), JSON))
        peer, _ = upstream.request()
        peer.send(STREAM_HEAD, chunked(token("first")))
        client.until(b"first")
        gateway.terminate()
        assert connect_refused(gateway.url)
        peer.send(chunked(token("last"), finish(), DONE), b"0\r\n\r\n")
        assert client.rest().endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")
        assert gateway.ended() == 0
    lines = [json.loads(line) for line in gateway.output.splitlines()]
    calls = [line for line in lines if line["event"] == "call"]
    assert [line["status"] for line in calls] == [200]
    assert [line["error"] for line in calls] == [None]


def connect_refused(url: str) -> bool:
    """Whether the listener closes, which takes a moment."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        try:
            connect(url).close()
        except ConnectionError:
            return True
    return False


def test_sdk_upload(tmp_path: Path) -> None:
    """The SDK's own upload of 20 MB arrives whole."""
    with Upstream() as upstream, process.start(tmp_path, upstream.url) as gateway:

        def provide() -> None:
            peer, asked = upstream.request()
            sizes.append(len(asked.body))
            made = {"id": "file-1", "object": "file", "bytes": 1, "created_at": 1}
            made |= {"filename": "a", "purpose": "batch", "status": "processed"}
            peer.send(reply(200, json.dumps(made).encode()))

        sizes: list[int] = []
        thread = threading.Thread(target=provide)
        thread.start()
        with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=KEY, max_retries=0) as sdk:
            made = sdk.files.create(file=("a", bytes(20 * MEGABYTE)), purpose="batch")
        thread.join()
        assert made.id == "file-1"
        assert sizes[0] > 20 * MEGABYTE
