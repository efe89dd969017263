"""What was spent, when: from the ledger, for budgets that begin anew with a process."""

# ruff: noqa: S608 -- only names of our own tables and columns are put together; values are bound

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol, cast

from llmitm.stores.database import Database, Statement
from llmitm.stores.filters import Dimension, column
from llmitm.stores.periods import HOUR, Period, split

SLOT = 30  # seconds: a hundred-and-twentieth of the shortest budget's period
_PICO_PER_NANO = 1000


class Window(Protocol):
    """A budget, as far as its spending is looked up: whose, and from when on it counts."""

    @property
    def owner(self) -> tuple[str, str | None]: ...

    def since(self, now: float) -> float: ...


class Spending:
    """Reads spending from the ledger's database; `flush` brings there what is still on its way."""

    def __init__(self, database: Database, flush: Callable[[], Any]) -> None:
        self._database = database
        self._flush = flush

    async def before(self, budget: Window, moment: float) -> list[tuple[float, int]]:
        """Times and billionths of a dollar of the calls accepted before `moment` that count then.

        Whole hours are one amount each, at the hour's end. Raises LedgerError.
        """
        await self._database.connect()  # where it is away nothing can be flushed: hear so at once
        await self._flush()
        kind, name = budget.owner
        where = "" if name is None else f" AND {column(cast('Dimension', kind))} = ?"
        params = () if name is None else (name,)
        found: list[tuple[float, int]] = []
        for period in split(budget.since(moment), moment, (HOUR,)):
            sql, bounds = _query(period, where)
            rows = await self._database.query(sql, (*bounds, *params))
            found += _amounts(rows, period.span)
        return found

    async def close(self) -> None:
        await self._database.close()


def _query(period: Period, where: str) -> Statement:
    if period.span:
        return Statement(
            "SELECT start, sum(cost_pico) FROM usage_totals"
            f" WHERE span = {period.span} AND start >= ? AND start < ?{where} GROUP BY start",
            (int(period.start), int(period.end)),
        )
    return Statement(
        f"SELECT CAST(ts AS BIGINT) / {SLOT} * {SLOT}, sum(cost_pico) FROM calls"
        f" WHERE cost_pico > 0 AND ts >= ? AND ts < ?{where} GROUP BY 1",
        (float(period.start), float(period.end)),
    )


def _amounts(rows: list[tuple[Any, ...]], span: int) -> Iterator[tuple[float, int]]:
    for start, pico in rows:
        if pico:
            at = float(start + span - 1 if span else start)
            yield at, -(-int(pico) // _PICO_PER_NANO)
