"""What a gateway noted down of its calls, from outside: an addon that watches, a ledger read."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from mitmproxy import http

from llmitm.call import CallRecord, call_of
from tests.support.gateway import Gateway

SECONDS = 40


class Watcher:
    """An addon: every ended call's flow and record, in order."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self.records: list[CallRecord] = []
        self.flows: list[http.HTTPFlow] = []
        self._more = threading.Condition()

    def call_end(self, flow: http.HTTPFlow) -> None:
        record = call_of(flow).record
        assert record is not None
        with self._more:
            self.flows.append(flow)
            self.records.append(record)
            self._more.notify_all()

    def wait(self, calls: int = 1) -> list[CallRecord]:
        """The records once so many calls have ended."""
        with self._more:
            enough = self._more.wait_for(lambda: len(self.records) >= calls, SECONDS)
        assert enough, f"{len(self.records)} of {calls} calls ended: {self.records}"
        return self.records

    def caught_up(self) -> int:
        """How many calls have ended, once none is on its way: answers come before their records."""
        lifecycle = self._gateway.master.lifecycle
        deadline = time.monotonic() + SECONDS
        while self._gateway.call(lambda: lifecycle.in_flight or lifecycle._ending):
            assert time.monotonic() < deadline, "a call does not end"
            time.sleep(0.005)
        return len(self.records)


def watch(gateway: Gateway) -> Watcher:
    """A watcher that is the last addon of a running gateway."""
    watcher = Watcher(gateway)
    master = gateway.master

    def add() -> None:
        master.observers.append(watcher)
        master.hooks.rebuild([*master.addons.chain, *master.observers])

    gateway.call(add)
    return watcher


@contextmanager
def one_call(watcher: Watcher) -> Iterator[list[CallRecord]]:
    """The record of the one call that is made inside the block, filled in at its end."""
    before = watcher.caught_up()
    found: list[CallRecord] = []
    yield found
    found.extend(watcher.wait(before + 1)[before:])
    assert len(found) == 1
