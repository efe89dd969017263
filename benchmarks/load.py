"""A closed-loop load generator on raw sockets: clients that make one call after the other."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import asdict, dataclass
from typing import cast

import uvloop

KEY = "sk-benchmark"
MESSAGES = [
    {"role": "system", "content": "You are a helpful assistant."},
    {"role": "user", "content": "Say something about proxies, please, in a few words."},
]


@dataclass(frozen=True)
class Result:
    """What one run saw. Latencies are milliseconds."""

    calls: int
    seconds: float
    p50: float
    p99: float
    events: int
    failures: int

    @property
    def rate(self) -> float:
        return self.calls / self.seconds

    @property
    def events_rate(self) -> float:
        return self.events / self.seconds


def request(port: int, stream: bool) -> bytes:
    body = json.dumps({"model": "bench", "messages": MESSAGES, "stream": stream}).encode()
    return (
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:%d\r\n"
        b"content-type: application/json\r\nauthorization: Bearer %b\r\n"
        b"content-length: %d\r\n\r\n%b" % (port, KEY.encode(), len(body), body)
    )


class Client(asyncio.Protocol):
    """One connection that sends its request again as soon as the answer is whole."""

    def __init__(self, payload: bytes, stream: bool, until: float) -> None:
        self.latencies: list[float] = []
        self.events = self.failures = 0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._payload, self._stream, self._until = payload, stream, until
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass
        self._send()

    def _send(self) -> None:
        self._started = time.perf_counter()
        if self._started >= self._until:
            self._transport.close()
            return
        self._transport.write(self._payload)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._stream and not self._buffer.endswith(b"0\r\n\r\n"):
            return
        if not self._stream and not self._whole():
            return
        self.latencies.append(time.perf_counter() - self._started)
        self.events += self._buffer.count(b"data: ")
        self.failures += not self._buffer.startswith(b"HTTP/1.1 200")
        self._buffer = b""
        self._send()

    def _whole(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        head = self._buffer[:end].lower()
        at = head.find(b"content-length:")
        return len(self._buffer) >= end + 4 + int(head[at + 15 :].split(b"\r\n", 1)[0])

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)


async def run(port: int, connections: int, seconds: float, stream: bool) -> Result:
    loop = asyncio.get_running_loop()
    begun = time.perf_counter()
    payload = request(port, stream)
    clients = [Client(payload, stream, begun + seconds) for _ in range(connections)]
    for client in clients:
        await loop.create_connection(lambda c=client: c, "127.0.0.1", port)  # type: ignore[misc]
    await asyncio.wait([client.done for client in clients], timeout=seconds + 30)
    took = time.perf_counter() - begun
    latencies = sorted(value for client in clients for value in client.latencies)
    return Result(
        calls=len(latencies),
        seconds=took,
        p50=_percentile(latencies, 0.5),
        p99=_percentile(latencies, 0.99),
        events=sum(client.events for client in clients),
        failures=sum(client.failures for client in clients),
    )


def _percentile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000 if ordered else 0.0


if __name__ == "__main__":
    port, connections, seconds, mode = sys.argv[1:5]
    result = uvloop.run(run(int(port), int(connections), float(seconds), mode == "stream"))
    print(json.dumps(asdict(result)))
