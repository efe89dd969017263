"""All of a call's allowances at once: all-or-nothing, exact, and released on every path.

Each test runs against memory and against a real Valkey.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from math import inf

import pytest

from llmitm.policy import accounts as module
from llmitm.policy.account import Allowance, Level
from llmitm.policy.accounts import Accounts, Grant, Shortage, Unknown
from llmitm.policy.budget import Budget
from llmitm.policy.limits import Kind, Limit
from llmitm.policy.periods import Period
from tests.policy.conftest import Backend
from tests.support.valkey import Stored

Both = Accounts | Stored
NOW = 1_795_262_400.0  # 2026-11-21 12:00 UTC
MIDNIGHT = NOW + 12 * 3600
REQUESTS = Limit("key:a", Kind.REQUESTS, 3)
TOKENS = Limit("user:u", Kind.TOKENS, 100)
CONCURRENT = Limit("team:t", Kind.CONCURRENT, 2)
ALL = (REQUESTS, TOKENS, CONCURRENT)
DAY = Budget("key:a", 10_000, Period.DAY, "UTC")
MONTH = Budget("team:t", 100_000, Period.MONTH, "UTC")
ROLLING = Budget("user:u", 10_000, Period.DAY)


def granted(
    accounts: Both, of: Sequence[Allowance], costs: Sequence[int], now: float = NOW
) -> Grant:
    answer = ask(accounts, of, costs, now)
    assert isinstance(answer, Grant), answer
    return answer


def short(
    accounts: Both, of: Sequence[Allowance], costs: Sequence[int], now: float = NOW
) -> Shortage:
    answer = ask(accounts, of, costs, now)
    assert isinstance(answer, Shortage), answer
    return answer


def ask(
    accounts: Both, of: Sequence[Allowance], costs: Sequence[int], now: float
) -> Grant | Shortage:
    """Take, where budgets that nobody used before have no history."""
    answer = accounts.take(of, costs, now)
    if isinstance(answer, Unknown):
        for allowance in answer.allowances:
            accounts.restore(allowance, (), now)
        answer = accounts.take(of, costs, now)
    assert not isinstance(answer, Unknown)
    return answer


def spent(accounts: Both, of: Allowance, now: float = NOW) -> int:
    return accounts.level(of, now).spent


def test_admits_exactly_the_limit(accounts: Both) -> None:
    """Of 500 calls within some seconds against 100 a minute, 100 are admitted."""
    limit = [Limit("key:a", Kind.REQUESTS, 100)]
    answers = [accounts.take(limit, [1], NOW + n / 100) for n in range(500)]
    assert sum(isinstance(answer, Grant) for answer in answers) == 100


def test_waiting_as_told_is_enough(accounts: Both) -> None:
    """There is room at the time that a shortage names, and not before."""
    for second in range(3):
        granted(accounts, [REQUESTS], [1], NOW + second)
    at = short(accounts, [REQUESTS], [1], NOW + 3).at
    assert 60 <= at - NOW <= 60.5
    assert short(accounts, [REQUESTS], [1], at - 0.001).at == at
    granted(accounts, [REQUESTS], [1], at)
    assert short(accounts, [REQUESTS], [1], at).at == at + 1


@pytest.mark.parametrize(
    ("cost", "before", "position", "at"),
    [(1, 3, 0, 60.5), (61, 1, 1, 60.5), (101, 0, 1, inf), (10, 2, 2, inf)],
    ids=["requests", "tokens", "too large", "concurrent"],
)
def test_shortage(accounts: Both, cost: int, before: int, position: int, at: float) -> None:
    """Names the allowance that has no room, when it will, and how all of them stand."""
    for _ in range(before):
        grant = granted(accounts, ALL, [1, 40, 1])
        if before != 2:
            accounts.settle(grant, [1, 40 if before == 1 else 0, 0], NOW)
    answer = short(accounts, ALL, [1, cost, 1])
    assert (answer.position, answer.allowance) == (position, ALL[position])
    assert (answer.at - answer.now, answer.now) == (at, NOW)
    levels = [accounts.level(allowance, NOW) for allowance in ALL]
    assert answer.levels == levels
    assert answer.remaining == ALL[position].amount - levels[position].spent


def test_the_slowest_allowance_is_reported(accounts: Both) -> None:
    """Where several have no room, the time given is when all of them have."""
    slow = Limit("global", Kind.REQUESTS, 1, period=3600.0)
    fast = Limit("key:a", Kind.REQUESTS, 1)
    granted(accounts, [slow, fast], [1, 1])
    for of in ([slow, fast], [fast, slow]):
        assert short(accounts, of, [1, 1]).allowance is slow


@pytest.mark.parametrize("full", ALL, ids=lambda limit: limit.kind)
def test_a_refused_call_takes_nothing(accounts: Both, full: Limit) -> None:
    """When one allowance is full, the others stay as they were, in whatever order they are."""
    while isinstance(accounts.take([full], [1], NOW), Grant):
        pass
    others = [limit for limit in ALL if limit is not full]
    for of in ([full, *others], [*others, full]):
        short(accounts, of, [1, 1, 1])
    assert [spent(accounts, limit) for limit in others] == [0, 0]


def test_settling(accounts: Both) -> None:
    """What was taken becomes what was used."""
    grant = granted(accounts, ALL, [1, 90, 1])
    levels = accounts.settle(grant, [1, 20, 0], NOW)
    assert [level.spent for level in levels] == [1, 20, 0]


def test_settling_for_more_than_was_taken(accounts: Both) -> None:
    """Use above the estimate counts too, and is waited for later."""
    accounts.settle(granted(accounts, [TOKENS], [10]), [150], NOW)
    assert spent(accounts, TOKENS) == 150
    assert short(accounts, [TOKENS], [1]).remaining == 0


def test_giving_back(accounts: Both) -> None:
    """A call that was refused elsewhere uses nothing up."""
    kept, refused = granted(accounts, ALL, [1, 10, 1]), granted(accounts, ALL, [1, 10, 1])
    accounts.settle(refused, [0, 0, 0], NOW)
    accounts.settle(kept, [1, 0, 0], NOW)
    assert [spent(accounts, limit) for limit in ALL] == [1, 0, 0]


def test_what_costs_nothing_is_given(accounts: Both) -> None:
    """A call of a model with the price 0 goes through on an overdrawn budget."""
    accounts.settle(granted(accounts, [DAY], [1000]), [12_000], NOW)
    granted(accounts, [DAY], [0])
    short(accounts, [DAY], [1])


def test_parallel_calls_cannot_overshoot(accounts: Both) -> None:
    """Of 200 calls at once that may cost 0.30 each, a budget of 10 admits 33."""
    answers = [ask(accounts, [DAY], [300], NOW) for _ in range(200)]
    assert sum(isinstance(answer, Grant) for answer in answers) == 33
    assert spent(accounts, DAY) <= DAY.amount


def test_what_is_reserved_is_told_apart(accounts: Both) -> None:
    """A level says what of it is only reserved."""
    grant = granted(accounts, [DAY, MONTH], [4000, 4000])
    assert accounts.level(DAY, NOW) == Level(4000, 4000, MIDNIGHT)
    accounts.settle(grant, [1500, 1500], NOW)
    assert accounts.level(DAY, NOW) == Level(1500, 0, MIDNIGHT)


def test_calendar_window_ends_at_once(accounts: Both) -> None:
    """At midnight of its zone a day's budget is whole again."""
    berlin = Budget("key:b", 1000, Period.DAY, "Europe/Berlin")
    granted(accounts, [berlin, DAY], [1000, 1000])
    assert spent(accounts, berlin, MIDNIGHT - 3601) == 1000
    assert spent(accounts, berlin, MIDNIGHT - 3600) == 0
    assert spent(accounts, DAY, MIDNIGHT - 1) == 1000


def test_a_call_over_midnight_is_yesterdays(accounts: Both) -> None:
    """It is booked where it was reserved, as the ledger's time stamp has it."""
    late = granted(accounts, [DAY, ROLLING], [5000, 5000], MIDNIGHT - 1)
    accounts.settle(late, [3000, 3000], MIDNIGHT + 60)
    assert spent(accounts, DAY, MIDNIGHT + 60) == 0
    assert spent(accounts, ROLLING, MIDNIGHT + 60) == 3000


def test_a_lost_call_gives_back_after_its_lease(accounts_with: Backend) -> None:
    """A slot and a reservation come back, tokens count as used; a late settlement is booked."""
    accounts = accounts_with(10.0)
    of = [*ALL, DAY]
    lost = granted(accounts, of, [1, 90, 1, 500])
    assert [spent(accounts, each, NOW + 9) for each in of] == [1, 90, 1, 500]
    assert [spent(accounts, each, NOW + 11) for each in of] == [1, 90, 0, 0]
    accounts.settle(lost, [1, 40, 0, 200], NOW + 12)
    assert [spent(accounts, each, NOW + 12) for each in of] == [1, 40, 0, 200]
    assert accounts.level(DAY, NOW + 12).held == 0


def test_a_running_call_renews_its_lease(accounts_with: Backend) -> None:
    """A long stream keeps its slot and its reservation."""
    accounts = accounts_with(10.0)
    running = granted(accounts, [CONCURRENT, DAY], [1, 500])
    accounts.renew(running, NOW + 8)
    assert [spent(accounts, each, NOW + 12) for each in (CONCURRENT, DAY)] == [1, 500]
    assert [spent(accounts, each, NOW + 19) for each in (CONCURRENT, DAY)] == [0, 0]


def test_budgets_wait_for_their_history(accounts: Both) -> None:
    """Nothing is given before it is known what was spent, and that is counted once."""
    grant = granted(accounts, [DAY], [100])
    answer = accounts.take([DAY, ROLLING], [1, 1], NOW)
    assert answer == Unknown([ROLLING])
    assert accounts.restore(ROLLING, [(NOW - 3600.0 * h, 100) for h in range(48)], NOW)
    assert not accounts.restore(ROLLING, [(NOW, 5000)], NOW)
    assert not accounts.restore(DAY, [(NOW, 5000)], NOW)
    assert 2400 <= spent(accounts, ROLLING) <= 2500
    assert spent(accounts, DAY) == 100
    accounts.settle(grant, [70], NOW)
    assert spent(accounts, DAY) == 70


def test_an_edited_allowance_keeps_what_was_used(accounts: Both) -> None:
    """After a reload with another amount the same use counts against the new one."""
    granted(accounts, [REQUESTS, DAY], [3, 8000])
    granted(accounts, [Limit("key:a", Kind.REQUESTS, 30)], [27])
    granted(accounts, [Budget("key:a", 20_000, Period.DAY, "UTC")], [12_000])
    short(accounts, [Limit("key:a", Kind.REQUESTS, 30)], [1])


def test_a_thousand_mixed_ends_leave_nothing_held(accounts: Both) -> None:
    """However calls end, in any order, all that was held comes back."""
    chance = random.Random(1)
    of = [Limit("key:a", Kind.CONCURRENT, 1000), Budget("key:a", 10**12, Period.DAY)]
    running = [granted(accounts, of, [1, chance.randrange(5000)]) for _ in range(1000)]
    chance.shuffle(running)
    total = 0
    for grant in running:
        used = chance.randrange(5000)
        total += used
        accounts.settle(grant, [0, used], NOW)
    assert spent(accounts, of[0]) == 0
    level = accounts.level(of[1], NOW)
    assert (level.spent, level.held) == (total, 0)


def test_idle_accounts_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of scopes that are no longer used take no memory; used ones keep their state."""
    monkeypatch.setattr(module, "SWEEP", 10)
    accounts = Accounts(1e9)
    accounts._sweep_at = 10
    granted(accounts, [CONCURRENT], [1])
    for number in range(1000):
        granted(accounts, [Limit(f"key:{number}", Kind.REQUESTS, 60)], [1], NOW + number)
    assert len(accounts._accounts) < 150
    assert spent(accounts, CONCURRENT, NOW + 1000) == 1


@pytest.mark.parametrize("of", [[DAY], [CONCURRENT, DAY]], ids=["budget", "and slot"])
def test_a_second_settlement_is_ignored(accounts: Both, of: list[Allowance]) -> None:
    """What a call cost counts once, however often it is said."""
    grant = granted(accounts, of, [1] * len(of))
    for _ in range(2):
        accounts.settle(grant, [0] * (len(of) - 1) + [700], NOW)
    assert [spent(accounts, each) for each in of] == [0] * (len(of) - 1) + [700]
