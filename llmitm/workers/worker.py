"""One worker: a gateway process that its supervisor started and speaks to."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pickle
import socket
import sys

import uvloop

from llmitm import logs
from llmitm.master import GatewayMaster, StartupError, run_until_signalled
from llmitm.pipeline import AddonError
from llmitm.stores.errors import LedgerError
from llmitm.workers.channel import Channel, Failed, Job, Ready
from llmitm.workers.readings import Readings

# How often the supervisor hears what changed: what a killed worker takes with it of its counts.
REPORT_SECONDS = 0.25
CANT_START = (AddonError, StartupError, LedgerError)


class Reporter:
    """Tells the supervisor what changed in the metrics: now and then, and when it asks."""

    def __init__(self, channel: Channel, readings: Readings) -> None:
        self._channel = channel
        self._readings = readings
        self._asked = 0
        self._wake = asyncio.Event()

    def ask(self) -> None:
        self._asked += 1
        self._wake.set()

    async def run(self) -> None:
        """Report until cancelled, or until nobody is there to hear it."""
        with contextlib.suppress(ConnectionError):
            while True:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), REPORT_SECONDS)
                self._wake.clear()
                await self._report()

    async def last(self) -> None:
        """Report once more, at the end."""
        with contextlib.suppress(ConnectionError):
            await self._channel.send(self._readings.everything(self._asked))

    async def _report(self) -> None:
        asked, self._asked = self._asked, 0
        if asked:
            report = await asyncio.to_thread(self._readings.everything, asked)
        else:
            report = self._readings.live()
        if asked or report.rows:
            await self._channel.send(report)


async def work(end: socket.socket) -> int:
    """Do the job that comes over the socket. Returns the exit code of the process."""
    channel = await Channel.open(end)
    frame = await channel.frame()
    if frame is None:
        return 1  # the supervisor is gone already
    job: Job = pickle.loads(frame)  # noqa: S301 from the process that started this one
    policy = job.loaded.policies.logging
    logs.configure(policy.level, policy.format)
    try:
        await _serve(job, channel)
    except CANT_START as fault:
        await channel.send(Failed(str(fault)))
        return 1
    return 0


async def _serve(job: Job, channel: Channel) -> None:
    master = GatewayMaster(job.loaded, os.environ, reuse_port=True, admin_socket=job.admin_socket)
    for name in job.drained:
        master.runtime.targets.circuits.guard(name).draining = True
    metrics = master.runtime.metrics
    reporter = Reporter(channel, Readings(metrics.registry, lambda: metrics.series))
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(_announce(master, job, channel)),
            group.create_task(_listen(master, channel, reporter)),
            group.create_task(reporter.run()),
        ]
        fault = await _run(master)
        for task in tasks:
            task.cancel()
    await reporter.last()
    if fault is not None:
        raise fault


async def _run(master: GatewayMaster) -> Exception | None:
    """Serve until told to end. Returns why it can't start, past the group that would wrap it."""
    try:
        await run_until_signalled(master)
    except CANT_START as fault:
        return fault
    return None


async def _announce(master: GatewayMaster, job: Job, channel: Channel) -> None:
    await master.ready.wait()
    master.watcher.seen = job.seen  # edits since then are still to be seen
    await channel.send(Ready())


async def _listen(master: GatewayMaster, channel: Channel, reporter: Reporter) -> None:
    """Report when asked. Without a supervisor there is nobody who would stop this process."""
    async for _ in channel.frames():
        reporter.ask()
    master.should_exit.set()


def main() -> None:
    end = socket.socket(fileno=int(sys.argv[1]))
    end.set_inheritable(False)
    sys.exit(uvloop.run(work(end)))


if __name__ == "__main__":
    main()
