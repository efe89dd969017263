"""Plays a worker: `actor.py PART FD`. It starts fast, as it imports nothing of the gateway."""

from __future__ import annotations

import signal
import socket
import struct
import sys
from typing import Any

import msgspec

FAMILY = ("calls", "counter", "Calls.", "sum", (("_total", ""),))


class Actor:
    def __init__(self, end: socket.socket) -> None:
        self.end = end
        self.stream = end.makefile("rb")

    def hear(self) -> bytes | None:
        head = self.stream.read(4)
        return self.stream.read(*struct.unpack("!I", head)) if len(head) == 4 else None

    def say(self, kind: str, **fields: Any) -> None:
        payload = msgspec.msgpack.encode({"type": kind, **fields})
        self.end.sendall(struct.pack("!I", len(payload)) + payload)

    def count(self) -> None:
        """Answer each question with a number that is one higher."""
        number, families = 0, [FAMILY]
        while self.hear() is not None:
            number += 1
            self.say("Report", families=families, rows=[(0, (), (number,))], answers=1)
            families = []


def main(part: str, end: socket.socket) -> int:
    actor = Actor(end)
    if part == "crash":
        return 3
    actor.hear()
    if part == "fail":
        actor.say("Failed", reason="no database")
        return 1
    if part == "babble":
        actor.say("Babble")
    if part == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if part == "hangup":
        signal.signal(signal.SIGHUP, lambda *_: actor.say("Failed", reason="hung up"))
    actor.say("Ready")
    if part == "brief":
        return 4
    if part == "mute":
        signal.pause()
    actor.count()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], socket.socket(fileno=int(sys.argv[2]))))
