"""Calls that wait for room: in turn, for a while, and not for clients that left."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from llmitm.policy.accounts import Accounts, Grant, Shortage
from llmitm.policy.limits import Kind, Limit
from llmitm.waiting import WaitingRoom

SECONDS = 60
SLOT = Limit("global", Kind.CONCURRENT, 1, wait=SECONDS)
SHORT = Limit("global", Kind.CONCURRENT, 1, wait=0.01)
OWN = Limit("key:a", Kind.CONCURRENT, 1, wait=SECONDS)


class Desk:
    """One slot, and who has it."""

    def __init__(self, bound: int = 100) -> None:
        self.accounts = Accounts()
        self.room = WaitingRoom(self.give_back, bound)
        self.order: list[str] = []

    async def give_back(self, grant: Grant) -> None:
        self.accounts.settle(grant, [0] * len(grant.costs), 0.0)
        self.room.freed()

    def taking(self, *of: Limit) -> Callable[[], asyncio.Future[Grant | Shortage]]:
        def take() -> asyncio.Future[Grant | Shortage]:
            future: asyncio.Future[Grant | Shortage] = asyncio.get_running_loop().create_future()
            answer = self.accounts.take(of, [1] * len(of), 0.0)
            assert isinstance(answer, Grant | Shortage)
            future.set_result(answer)
            return future

        return take

    async def call(self, key: str, limit: Limit = SLOT, *more: Limit) -> Grant | Shortage | None:
        take = self.taking(limit, *more)
        answer = await take() if self.room.queued_for([limit]) is None else None
        if isinstance(answer, Grant):
            self.order.append(key)
            return answer
        got = await self.room.wait(limit, key, take, answer)
        if isinstance(got, Grant):
            self.order.append(key)
        return got

    async def through(self, key: str, *limits: Limit) -> None:
        """A call that gives its slot back at once."""
        grant = await self.call(key, *limits)
        assert isinstance(grant, Grant)
        await self.give_back(grant)


@pytest.fixture
def desk() -> Desk:
    return Desk()


async def test_keys_take_turns(desk: Desk) -> None:
    """The one call of a key doesn't wait for all of another's."""
    first = await desk.call("a")
    assert isinstance(first, Grant)
    waiting = [asyncio.create_task(desk.through(key)) for key in ("a", "a", "a", "b")]
    await asyncio.sleep(0)
    await desk.give_back(first)
    await asyncio.gather(*waiting)
    assert desk.order == ["a", "a", "b", "a", "a"]
    assert desk.room.queued_for([SLOT]) is None


async def test_who_comes_later_goes_behind(desk: Desk) -> None:
    """A free slot is not taken from under those who wait for it."""
    first = await desk.call("a")
    assert isinstance(first, Grant)
    waiting = asyncio.create_task(desk.through("b"))
    await asyncio.sleep(0)
    assert desk.room.queued_for([OWN, SLOT]) is SLOT
    await desk.give_back(first)
    late = asyncio.create_task(desk.through("c"))
    await asyncio.gather(waiting, late)
    assert desk.order == ["a", "b", "c"]


async def test_waiting_in_vain(desk: Desk) -> None:
    """The shortage at last, and nobody is left in the queue."""
    assert isinstance(await desk.call("a"), Grant)
    answer = await desk.call("b", SHORT)
    assert isinstance(answer, Shortage)
    await asyncio.gather(*desk.room._pumps.values())
    assert desk.room.queued_for([SHORT]) is None


async def test_a_client_that_leaves(desk: Desk) -> None:
    """It leaves the queue, and gives back what it got in the same moment."""
    first = await desk.call("a")
    assert isinstance(first, Grant)
    leaving, staying = (asyncio.create_task(desk.through(key)) for key in "bc")
    await asyncio.sleep(0)
    leaving.cancel()
    await desk.give_back(first)
    await asyncio.wait_for(staying, SECONDS)
    assert desk.order == ["a", "c"]
    assert desk.accounts.level(SLOT, 0.0).spent == 0


async def test_a_client_that_leaves_as_it_is_let_in(desk: Desk) -> None:
    """What it got goes to the next."""
    first = await desk.call("a")
    assert isinstance(first, Grant)
    leaving = asyncio.create_task(desk.through("b"))
    await asyncio.sleep(0)
    [waiter] = [waiter for _, waiter in desk.room._queues[SLOT.id].heads()]
    waiter.future.add_done_callback(lambda _: leaving.cancel())
    await desk.give_back(first)
    with pytest.raises(asyncio.CancelledError):
        await leaving
    assert desk.accounts.level(SLOT, 0.0).spent == 0


async def test_one_key_without_room_stops_no_other(desk: Desk) -> None:
    """Who lacks room in a limit of its own is passed by."""
    first = await desk.call("z")
    held = desk.accounts.take([OWN], [1], 0.0)
    assert isinstance(first, Grant)
    assert isinstance(held, Grant)
    blocked = asyncio.create_task(desk.through("a", SLOT, OWN))
    other = asyncio.create_task(desk.through("b"))
    await asyncio.sleep(0)
    await desk.give_back(first)
    await asyncio.wait_for(other, SECONDS)
    await desk.give_back(held)
    await asyncio.wait_for(blocked, SECONDS)
    assert desk.order == ["z", "b", "a"]


async def test_a_full_queue() -> None:
    """One too many is refused at once."""
    desk = Desk(bound=1)
    first = await desk.call("a")
    assert isinstance(first, Grant)
    waiting = asyncio.create_task(desk.through("b"))
    await asyncio.sleep(0)
    assert isinstance(await desk.call("c"), Shortage)
    await desk.give_back(first)
    await waiting


async def test_closing(desk: Desk) -> None:
    """Nothing runs on after it."""
    await desk.call("a")
    waiting = asyncio.create_task(desk.call("b"))
    await asyncio.sleep(0)
    await desk.room.close()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert desk.room._pumps == {}
