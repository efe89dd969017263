"""The ledger as a whole: what is appended arrives, once, whatever happens in between."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg  # type: ignore[import-untyped]  # ships no types
import pytest

from llmitm.stores.errors import Misconfigured, Unavailable
from llmitm.stores.ledger import Ledger, _spool_directory, open_ledger
from llmitm.stores.postgres import _CONNECT_TIMEOUT
from llmitm.stores.reader import Reader, open_reader
from tests.stores.conftest import Open
from tests.stores.postgres_server import PostgresServer
from tests.stores.records import NOON, SECONDS, make, until

ROOT = Path(__file__).parents[2]
EVERYTHING = 1_000_000


async def held(url: str) -> set[str]:
    """The ids of all calls in the database, after a look at the totals: none counted twice."""
    async with open_reader(url) as reader:
        ids = [call.request_id for call in await reader.calls(EVERYTHING)]
        rows = await reader.usage()
    assert len(ids) == len(set(ids)) == (rows[0].calls if rows else 0)
    return set(ids)


async def test_what_is_appended_arrives(ledger: Ledger, reader: Reader) -> None:
    """A call comes out of the ledger as it went in."""
    calls = [make(), make(cost_usd=None, key=None, user=None, attempts=(), error="internal")]
    for call in calls:
        ledger.append(call)
    assert ledger.flush(SECONDS)
    assert [await reader.call(call.request_id) for call in calls] == calls
    assert (ledger.healthy, ledger.spool_records, ledger.dropped) == (True, 0, 0)


async def test_a_call_counts_once(ledger: Ledger, url: str) -> None:
    """The same request id, in one batch or a later one, is one call."""
    call = make()
    for _ in range(2):
        ledger.append(call)
        ledger.append(call)
        assert ledger.flush(SECONDS)
    assert await held(url) == {call.request_id}


async def test_arrives_without_being_asked(ledger: Ledger, url: str) -> None:
    """Nobody has to flush: a call that comes after a rest wakes the writer."""
    for _ in range(3):
        call = make()
        ledger.append(call)
        until(lambda: ledger.spool_records == 0)
        assert call.request_id in await held(url)


async def test_a_bad_record_holds_up_nothing(ledger: Ledger, url: str) -> None:
    """Records that can't be stored are left out and counted; their neighbours arrive."""
    good = [make() for _ in range(20)]
    bad = [make(ts=float("nan")), make(duration_ms=float("nan")), make(cost_usd="a lot")]
    for call in [*good[:10], *bad, *good[10:]]:
        ledger.append(call)
    assert ledger.flush(SECONDS)
    assert ledger.dropped == len(bad)
    assert await held(url) == {call.request_id for call in good}


NAMES = ["a\0b", "\ud800", "x" * 100_000, "ü" * 1000, "'; DROP TABLE calls", "\\u0000", "\n"]


async def test_any_text_is_fine(ledger: Ledger, reader: Reader) -> None:
    """What a client may send as a model's name, however odd, never breaks the ledger."""
    for name in NAMES:
        ledger.append(make(model=name, key=name, user=name, team=name, target=name, route=name))
    assert ledger.flush(SECONDS)
    assert ledger.dropped == 0
    assert sum(row.calls for row in await reader.usage(by="model")) == len(NAMES)


async def test_content_is_kept_apart(ledger: Ledger, reader: Reader) -> None:
    """What a call said is found by its request id, where it was kept."""
    call = make()
    ledger.append(call)
    ledger.append_content(call.request_id, call.ts, "why?\0", None)
    assert ledger.flush(SECONDS)
    content = await reader.content(call.request_id)
    assert content is not None
    assert (content.ts, content.request, content.response) == (call.ts, "why?\ufffd", None)
    assert await reader.content("another") is None


async def test_prune(ledger: Ledger, reader: Reader, url: str) -> None:
    """Old calls and old content go, each by its own age; totals and newer ones stay."""
    calls = [make(ts=NOON + hour * 3600) for hour in range(4)]
    for call in calls:
        ledger.append(call)
        ledger.append_content(call.request_id, call.ts, "q", "a")
    assert ledger.flush(SECONDS)
    assert await ledger.prune(NOON + 3600) == 1
    assert await ledger.prune_content(NOON + 7200) == 2
    assert [c.request_id for c in await reader.calls()] == [c.request_id for c in calls[:0:-1]]
    assert [bool(await reader.content(c.request_id)) for c in calls] == [False, False, True, True]
    assert (await reader.usage())[0].calls == 4


async def test_close_flushes(url: str, spool: Path) -> None:
    """Closing writes everything out and leaves nothing behind; later calls are counted as lost."""
    ledger = open_ledger(url, spool)
    calls = [make() for _ in range(1200)]
    for call in calls:
        ledger.append(call)
    ledger.close()
    ledger.close()
    ledger.append(make())
    assert ledger.dropped == 1
    assert ledger.flush(SECONDS)
    assert await held(url) == {call.request_id for call in calls}
    assert files(spool) == []


def files(directory: Path) -> list[Path]:
    return list(directory.iterdir())


async def test_memory(opened: Open, tmp_path: Path) -> None:
    """A ledger in memory is one for the whole process, while it is open."""
    ledger = opened("sqlite:///:memory:")
    call = make()
    ledger.append(call)
    assert ledger.flush(SECONDS)
    assert await held("sqlite:///:memory:") == {call.request_id}


def test_unusable_spool(sqlite_url: str, tmp_path: Path) -> None:
    """A spool directory that can't be made is an error at once."""
    (tmp_path / "file").touch()
    with pytest.raises(Misconfigured, match="spool directory"):
        open_ledger(sqlite_url, tmp_path / "file" / "spool")


def test_spool_stands_beside_the_file(sqlite_url: str, tmp_path: Path) -> None:
    """Without a spool directory a SQLite ledger's is next to its file, for its owner only."""
    ledger = open_ledger(sqlite_url)
    files = [tmp_path / "data" / "ledger.db", *(tmp_path / "data/ledger.db.spool").iterdir()]
    assert [oct(file.stat().st_mode & 0o777) for file in files] == ["0o600"] * 2
    ledger.close()


def test_spool_without_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ledgers of different databases never share a spool; another user's directory is refused."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    urls = ["postgresql://a@h/x", "postgresql://a@h/y", "sqlite:///:memory:"]
    directories = {_spool_directory(url) for url in urls}
    assert len(directories) == 3
    assert _spool_directory(urls[0]) in directories
    [parent] = tmp_path.iterdir()
    assert parent.stat().st_mode & 0o777 == 0o700
    user = os.getuid()
    parent.rename(tmp_path / f"llmitm-{user + 1}")
    monkeypatch.setattr(os, "getuid", lambda: user + 1)
    with pytest.raises(Misconfigured, match="another user's"):
        open_ledger(urls[0])


@pytest.fixture
def restarted(postgres: PostgresServer) -> Iterator[PostgresServer]:
    """The server; a test that stops it gets it started again at its end."""
    yield postgres
    postgres.stop()
    postgres.start()


async def test_postgres_stops_and_returns(
    restarted: PostgresServer, postgres_url: str, opened: Open
) -> None:
    """While PostgreSQL is down calls are recorded on disk, at full speed; then all arrive."""
    ledger = opened(postgres_url)
    calls = [make() for _ in range(3000)]
    slowest = 0.0
    for number, call in enumerate(calls):
        if number == 1000:
            restarted.stop()
        if number == 2000:
            until(lambda: not ledger.healthy)
        before = time.perf_counter()
        ledger.append(call)
        slowest = max(slowest, time.perf_counter() - before)
    assert slowest < _CONNECT_TIMEOUT / 2  # nobody waited for the server
    assert not ledger.flush(0.5)
    assert 2000 <= ledger.spool_records <= 3000
    with pytest.raises(Unavailable):
        await ledger.prune(0)
    restarted.start()
    assert ledger.flush(SECONDS)
    assert (ledger.healthy, ledger.dropped) == (True, 0)
    assert await held(postgres_url) == {call.request_id for call in calls}


async def test_postgres_is_down_at_the_start(
    restarted: PostgresServer, postgres_url: str, opened: Open, spool: Path
) -> None:
    """The ledger opens without its database. What it wrote to disk, the next process delivers."""
    restarted.stop()
    first = opened(postgres_url)
    call = make()
    first.append(call)
    first.close(0.5)
    assert not first.healthy
    restarted.start()
    assert opened(postgres_url).flush(SECONDS)
    assert await held(postgres_url) == {call.request_id}


async def test_postgres_hangs(postgres: PostgresServer, postgres_url: str, opened: Open) -> None:
    """While PostgreSQL neither answers nor fails, calls go to disk all the same."""
    ledger = opened(postgres_url)
    calls = [make() for _ in range(20)]
    lock = await asyncpg.connect(postgres_url)
    async with lock.transaction():
        await lock.execute("LOCK TABLE calls")
        for call in calls:
            ledger.append(call)
            assert not ledger.flush(0.02)
    await lock.close()
    assert ledger.flush(SECONDS)
    assert await held(postgres_url) == {call.request_id for call in calls}


@pytest.mark.parametrize("case", ["sqlite", "postgres", "postgres, which is down"])
async def test_kill(
    case: str,
    sqlite_url: str,
    postgres_url: str,
    restarted: PostgresServer,
    opened: Open,
    spool: Path,
) -> None:
    """After kill -9 every call that ended more than a second before is in the ledger, once.

    With PostgreSQL down it is there once the server and a gateway are back.
    """
    url = sqlite_url if case == "sqlite" else postgres_url
    down = case.endswith("down")
    if down:
        restarted.stop()
    ended, killed = killed_after(1.5, url, spool)
    old = {request_id for request_id, moment in ended.items() if killed - moment > 1.0}
    assert old
    if down:
        restarted.start()
    else:
        assert old <= await held(url)  # before any next process looks after it
    assert opened(url).flush(SECONDS)
    assert old <= await held(url)


def killed_after(seconds: float, url: str, spool: Path) -> tuple[dict[str, float], float]:
    """When calls ended in a process that was killed under load, and when that was."""
    command = [sys.executable, str(Path(__file__).with_name("appender.py")), url, str(spool)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended: dict[str, float] = {}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        for line in process.stdout:
            request_id, moment = line.split()
            ended[request_id] = float(moment)
            if ended[request_id] - next(iter(ended.values())) > seconds:
                break
        process.send_signal(signal.SIGKILL)
        killed = time.monotonic()
        process.stdout.read()
    return ended, killed
