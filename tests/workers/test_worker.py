"""One worker: what it tells its supervisor, and when it ends."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from llmitm.config.gateway import AddonEntry
from llmitm.config.load import Loaded
from llmitm.metrics import Metrics
from llmitm.workers import worker
from llmitm.workers.channel import Channel, Job, Report, decode
from llmitm.workers.plan import of_worker
from llmitm.workers.port import held
from llmitm.workers.process import Worker
from llmitm.workers.readings import Readings
from llmitm.workers.worker import Reporter


class Ends:
    """A reporter, the metrics it reports, and the other end of its channel."""

    def __init__(self, here: Channel, there: Channel) -> None:
        self.metrics = Metrics()
        readings = Readings(self.metrics.registry, lambda: self.metrics.series)
        self.reporter = Reporter(here, readings)
        self.there = there

    async def report(self) -> Report:
        frame = await self.there.frame()
        assert frame is not None
        report = decode(frame)
        assert isinstance(report, Report)
        return report


@pytest.fixture
async def ends() -> AsyncIterator[Ends]:
    pair = [await Channel.open(end) for end in socket.socketpair()]
    yield Ends(*pair)
    for channel in pair:
        channel.close()


async def test_reports_now_and_then(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    """What changed is reported soon, unasked."""
    monkeypatch.setattr(worker, "REPORT_SECONDS", 0.01)
    running = asyncio.create_task(ends.reporter.run())
    await ends.report()
    ends.metrics["llmitm_retries_total"].at("sim/a").inc()
    report = await ends.report()
    assert [(row.labels, row.values) for row in report.rows] == [((("target", "sim/a"),), (1.0,))]
    assert report.answers == 0
    running.cancel()


async def test_reports_when_asked(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks hears everything at once, and every question is answered."""
    monkeypatch.setattr(worker, "REPORT_SECONDS", 60)
    running = asyncio.create_task(ends.reporter.run())
    ends.reporter.ask()
    ends.reporter.ask()
    report = await ends.report()
    assert report.answers == 2
    assert "process_open_fds" in {family.name for family in report.families}
    ends.reporter.ask()
    assert (await ends.report()).answers == 1
    running.cancel()


async def test_last_words(ends: Ends) -> None:
    """At the end everything is reported once more, and open questions are answered."""
    ends.reporter.ask()
    await ends.reporter.last()
    report = await ends.report()
    assert report.answers == 1
    assert report.rows


async def test_nobody_listens(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a supervisor there are no reports, and that is no error."""
    monkeypatch.setattr(worker, "REPORT_SECONDS", 0.001)
    ends.there.close()
    async with asyncio.timeout(40):
        running = asyncio.create_task(ends.reporter.run())
        while not running.done():
            ends.metrics["llmitm_retries_total"].at("sim/a").inc()
            await asyncio.wait([running], timeout=0.001)
    await ends.reporter.last()


async def test_cannot_begin(loaded: Loaded, tmp_path: Path) -> None:
    """A worker that can't begin says why in the words of a single process."""
    addon = tmp_path / "mine.py"
    addon.write_text("raise RuntimeError('no such thing')")
    gateway = loaded.gateway.model_copy(update={"addons": (AddonEntry(str(addon)),)})
    process = await Worker.start()
    await process.begin(Job(replace(loaded, gateway=gateway), tmp_path / "admin.sock"))
    assert await process.ended() == 1
    assert "mine.py: RuntimeError: no such thing" in str(process.failure)


async def test_a_job(loaded: Loaded, tmp_path: Path) -> None:
    """A worker does as its job says; when its supervisor dies it ends: nobody else would end it."""
    process = await Worker.start()
    with held(loaded.gateway.listen.gateway) as address:
        plan = of_worker(loaded, 1, loaded.gateway.listen.model_copy(update={"gateway": address}))
        # The policies are of no version that is there now: they are read again.
        job = Job(plan, tmp_path / "admin.sock", seen={}, drained=frozenset({"sim/old"}))
        await process.begin(job)
        await process.ready.wait()
        assert await drained(job.admin_socket) == ["sim/old"]
        while reloads(process) == 0:
            await process.collect()
        process._channel.close()
        assert await process.ended() == 0


async def drained(admin_socket: Path) -> list[str]:
    connector = aiohttp.UnixConnector(str(admin_socket))
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        session.get("http://localhost/admin/targets") as reply,
    ):
        return [row["target"] for row in (await reply.json())["targets"] if row["draining"]]


def reloads(process: Worker) -> float:
    counted = (
        values[0]
        for (family, _), (_, values) in process.tally.rows.items()
        if family.name == "llmitm_config_reloads"
    )
    return sum(counted)
