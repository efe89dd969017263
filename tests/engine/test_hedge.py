"""Two attempts in a race."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from llmitm.call import Target
from llmitm.engine.attempt import Ready
from llmitm.engine.failure import AttemptFailed, failed
from llmitm.engine.hedge import race
from llmitm.policy.outcome import Failure
from tests.support.fed import Fed, attempt, terms
from tests.support.origin import until

A, B = Target("a"), Target("b")


class Runners:
    """Attempts that end when the test says so."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.cancelled: list[str] = []
        self.outrun: list[str] = []
        self._ends: dict[str, asyncio.Future[Ready]] = {}

    async def run(self, target: Target) -> Ready:
        name = target.provider
        self.started.append(name)
        end: asyncio.Future[Ready] = asyncio.get_running_loop().create_future()
        self._ends[name] = end
        try:
            return await end
        except asyncio.CancelledError:
            self.cancelled.append(name)
            raise

    def race(self, after: float = 0.0) -> asyncio.Future[Ready]:
        def outrun(target: Target, fault: AttemptFailed) -> None:
            assert fault.outcome.failure is Failure.RESET
            self.outrun.append(target.provider)

        return asyncio.ensure_future(race(self.run, A, B, after, outrun))

    def win(self, name: str) -> Ready:
        ready = Ready(attempt(name), Fed(), terms())
        self._ends[name].set_result(ready)
        return ready

    def fail(self, name: str, fault: Exception | None = None) -> None:
        self._ends[name].set_exception(fault or failed(attempt(), Failure.RESET, name))

    async def both(self) -> None:
        await until(lambda: self.started == ["a", "b"])


@pytest.mark.parametrize(("winner", "loser"), [("a", "b"), ("b", "a")])
async def test_the_first_to_be_ready_wins(winner: str, loser: str) -> None:
    """The answer that is ready first is it; the other attempt is cancelled."""
    runners = Runners()
    racing = runners.race()
    await runners.both()
    ready = runners.win(winner)
    assert await racing is ready
    await until(lambda: runners.cancelled == [loser])
    assert not _closed(ready)


async def test_the_second_waits() -> None:
    """As long as the first may still be in time, the second target isn't asked."""
    runners = Runners()
    racing = runners.race(after=60)
    await until(lambda: runners.started)
    ready = runners.win("a")
    assert await racing is ready
    assert runners.started == ["a"]


async def test_a_failure_before_the_second_started() -> None:
    """Where the first fails early there is nothing to race: its failure is for failover."""
    runners = Runners()
    racing = runners.race(after=60)
    await until(lambda: runners.started)
    runners.fail("a")
    with pytest.raises(AttemptFailed, match="a"):
        await racing
    assert (runners.started, runners.outrun) == (["a"], [])


@pytest.mark.parametrize(("loser", "winner"), [("a", "b"), ("b", "a")])
async def test_one_fails_while_the_other_runs(loser: str, winner: str) -> None:
    """A failure while the other one still runs is noted, and the other one decides."""
    runners = Runners()
    racing = runners.race()
    await runners.both()
    runners.fail(loser)
    await until(lambda: runners.outrun == [loser])
    ready = runners.win(winner)
    assert await racing is ready


async def test_both_fail() -> None:
    """The last failure is that of the race."""
    runners = Runners()
    racing = runners.race()
    await runners.both()
    runners.fail("a")
    await until(lambda: runners.outrun == ["a"])
    runners.fail("b")
    with pytest.raises(AttemptFailed, match="b"):
        await racing


@pytest.mark.parametrize("order", [("a", "b"), ("b", "a")])
async def test_one_fails_as_the_other_is_ready(order: tuple[str, str]) -> None:
    """Of two that end in the same moment the one with an answer counts."""
    runners = Runners()
    racing = runners.race()
    await runners.both()
    ends: dict[str, Callable[[], object]] = {
        "a": lambda: runners.fail("a"),
        "b": lambda: runners.win("b"),
    }
    for name in order:
        ends[name]()
    assert (await racing).attempt.model == "b"


def _closed(ready: Ready) -> bool:
    return isinstance(ready.answer, Fed) and ready.answer.closed


async def test_both_are_ready() -> None:
    """Of two that are ready at once one is taken, and the other gives its connection back."""
    runners = Runners()
    racing = runners.race()
    await runners.both()
    first, second = runners.win("a"), runners.win("b")
    won = await racing
    lost = second if won is first else first
    await until(lambda: _closed(lost))
    assert lost.attempt.error == "cancelled"
    assert (won.attempt.error, _closed(won)) == (None, False)


async def test_a_fault_of_ours_ends_the_race() -> None:
    """What isn't an attempt's failure is not covered up by the other attempt."""
    runners = Runners()
    racing = runners.race()
    await runners.both()
    runners.fail("a", RuntimeError("ours"))
    with pytest.raises(RuntimeError, match="ours"):
        await racing
    await until(lambda: runners.cancelled == ["b"])


async def test_the_client_leaves() -> None:
    """Who is cancelled cancels both."""
    runners = Runners()
    racing = runners.race()
    await runners.both()
    racing.cancel()
    await until(lambda: sorted(runners.cancelled) == ["a", "b"])
