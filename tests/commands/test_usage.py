"""Reports over the ledger, in three formats that say the same."""

from __future__ import annotations

import csv
import io
import json
import random
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from llmitm.call import CallRecord
from llmitm.commands.usage import COLUMNS, GROUPS, TITLES
from llmitm.stores.ledger import open_ledger
from tests.stores.records import make
from tests.support.terminal import run

CALLS = 300
DAY = 86_400


@pytest.fixture
def calls(config: Path) -> list[CallRecord]:
    """Calls of the last five days in the ledger of `config`, and an old one."""
    rng = random.Random(1)
    now = time.time()
    made = [
        make(
            ts=now - rng.random() * 5 * DAY,
            key=rng.choice(["dev", "ci", None]),
            user=rng.choice(["ava", "bo"]),
            model=rng.choice(["gpt-4o", "claude-sonnet-4-5-20250929"]),
            prompt_tokens=rng.randrange(100_000),
            status=rng.choice([200, 200, 503]),
            error=None,
            cost_usd=rng.choice([None, Decimal(rng.randrange(10**13)) / 10**12]),
        )
        for _ in range(CALLS)
    ]
    ledger = open_ledger(f"sqlite:///{config.parent / 'ledger.db'}")
    for record in [*made, make(ts=now - 90 * DAY, cost_usd=Decimal(1000))]:
        ledger.append(record)
    ledger.close(20)
    return made


def total(calls: list[CallRecord]) -> Decimal:
    return sum((call.cost_usd or Decimal(0) for call in calls), Decimal(0))


def as_csv(config: Path, *options: object) -> list[dict[str, str]]:
    text = run("usage", "-c", config, "--format", "csv", *options).output
    return list(csv.DictReader(io.StringIO(text)))


def as_json(config: Path, *options: object) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(
        run("usage", "-c", config, "--format", "json", *options).output
    )
    return found


@pytest.mark.parametrize("by", GROUPS)
def test_adds_up(config: Path, calls: list[CallRecord], by: str) -> None:
    """Every grouping and format has each call once, and the same dollars to the last digit."""
    rows = as_csv(config, "--by", by)
    assert sum(int(row["calls"]) for row in rows) == CALLS
    assert sum(Decimal(row["cost_usd"]) for row in rows) == total(calls)
    found = as_json(config, "--by", by)
    assert [row["group"] or "" for row in found] == [row[by] for row in rows]
    assert [Decimal(row["cost_usd"]) for row in found] == [Decimal(r["cost_usd"]) for r in rows]
    footer = run("usage", "-c", config, "--by", by).output.splitlines()[-2]
    assert f"{total(calls):.6f}" in footer
    assert f" {CALLS} " in footer


def test_columns(config: Path, calls: list[CallRecord]) -> None:
    """The columns count what their names say."""
    [row] = as_csv(config, "--by", "team")
    assert list(row) == ["team", *COLUMNS]
    assert set(TITLES) == set(COLUMNS)
    assert int(row["prompt_tokens"]) == sum(call.prompt_tokens for call in calls)
    assert int(row["errors"]) == sum(call.status >= 400 for call in calls)
    assert int(row["unpriced"]) == sum(call.cost_usd is None for call in calls)


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        (["--key", "dev"], lambda call: call.key == "dev"),
        (["--user", "bo", "--model", "gpt-4o"], lambda c: (c.user, c.model) == ("bo", "gpt-4o")),
        (["--key", "nobody"], lambda _: False),
    ],
)
def test_filters(config: Path, calls: list[CallRecord], options: list[str], wanted: Any) -> None:
    """Only what is asked for counts."""
    expected = [call for call in calls if wanted(call)]
    rows = as_csv(config, *options)
    assert sum(int(row["calls"]) for row in rows) == len(expected)
    assert sum(Decimal(row["cost_usd"]) for row in rows) == total(expected)


def test_spans(config: Path, calls: list[CallRecord]) -> None:
    """Days back from now, or between two moments."""
    recent = [call for call in calls if call.ts >= time.time() - 2 * DAY]
    assert sum(int(r["calls"]) for r in as_csv(config, "--days", 2)) == len(recent)
    assert sum(int(r["calls"]) for r in as_csv(config, "--since", "2000-01-01")) == CALLS + 1
    older = as_csv(config, "--since", "2000-01-01", "--until", "2000-02-01")
    assert older == []
    assert as_csv(config, "--days", 0) == []


def test_what_is_nothing_is_left_out(config: Path) -> None:
    """The table has columns for what there is; groups without a name have a dash."""
    ledger = open_ledger(f"sqlite:///{config.parent / 'ledger.db'}")
    ledger.append(
        make(
            ts=time.time(),
            key=None,
            cached_tokens=0,
            cache_write_tokens=0,
            reasoning_tokens=0,
            cost_usd=None,
        )
    )
    ledger.close(20)
    output = run("usage", "-c", config).output
    assert "unpriced" in output
    assert not any(name in output for name in ("cached", "written", "reasoning", "errors"))
    assert "│ -  " in output and "0.000000" in output


def test_empty(config: Path) -> None:
    """A ledger without calls has a total of nothing; one that isn't there is said to be missing."""
    assert "there is no ledger" in run("usage", "-c", config, code=1).output
    open_ledger(f"sqlite:///{config.parent / 'ledger.db'}").close(20)
    assert "total" in run("usage", "-c", config).output
    assert as_json(config) == []
