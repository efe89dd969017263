"""Warnings of budgets that are nearly spent."""

from __future__ import annotations

import logging
from typing import Any

import msgspec
import pytest

from llmitm.budget_watch import BudgetWatch, labels_of, notice
from llmitm.policy.account import Level
from llmitm.policy.budget import Budget
from llmitm.policy.periods import Period
from tests.support.stage import Stage

USD = 10**9
BUDGET = Budget("key:dev", 10 * USD, Period.DAY, "UTC", warn_at=0.8)


@pytest.fixture
def stage(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Stage:
    return Stage(tmp_path, monkeypatch)


def warnings(stage: Stage) -> float:
    series = stage.runtime.metrics["llmitm_budget_warnings_total"]
    return float(series.at(*labels_of(BUDGET))._value.get())


def test_once_when_it_is_reached(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """By what is spent, not by what is reserved; again when the next window gets there."""
    watch = BudgetWatch()
    seen = []
    for spent, held in ((7, 0), (10, 3), (8, 0), (9, 0), (0, 0), (9, 0)):
        with caplog.at_level(logging.WARNING):
            watch.look(stage.runtime, [BUDGET], [Level(spent * USD, held * USD, 0.0)])
        seen.append(warnings(stage))
    assert seen == [0, 0, 1, 1, 1, 2]
    assert "budget of key:dev: 8 of 10 USD spent this day" in caplog.text


def test_what_remains(stage: Stage) -> None:
    """The metric is what is left once reservations are given back, never less than nothing."""
    watch = BudgetWatch()
    series = stage.runtime.metrics["llmitm_budget_remaining_usd"]
    for spent, left in ((9, 3), (13, 0)):
        watch.look(stage.runtime, [BUDGET], [Level(spent * USD, 2 * USD, 0.0)])
        assert series.at("key", "dev", "day")._value.get() == left


def test_no_threshold(stage: Stage) -> None:
    """A budget may want no warning."""
    quiet = Budget("key:dev", USD, Period.DAY, "UTC", warn_at=None)
    BudgetWatch().look(stage.runtime, [quiet], [Level(USD, 0, 0.0)])
    assert warnings(stage) == 0


def test_notice() -> None:
    """What the webhook is told is JSON with exact amounts."""
    encode = msgspec.json.Encoder(decimal_format="number").encode
    everyones = Budget("global", 5 * USD, Period.WEEK, warn_at=0.5)
    assert msgspec.json.decode(encode(notice(everyones, 2_500_000_001))) == {
        "event": "budget_warning",
        "scope": "global",
        "id": None,
        "per": "week",
        "calendar": None,
        "warn_at": 0.5,
        "budget_usd": 5,
        "spent_usd": 2.500000001,
    }
