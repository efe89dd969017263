"""The state that calls are decided by: the accounts of limits and budgets."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from llmitm.stores.accounts import AccountStore
from llmitm.stores.database import open_database
from llmitm.stores.spending import Spending


class Shared:
    """Accounts in this process's memory. `ledger` is its URL, `flush` brings it up to date."""

    def __init__(self, url: str, ledger: str, flush: Callable[[float], bool]) -> None:
        async def flushed() -> None:
            await asyncio.to_thread(flush, 1.0)

        self._spending = Spending(open_database(ledger), flushed)
        self.limits = AccountStore(time.monotonic)
        self.budgets = AccountStore(time.time, self._spending.before)

    async def run(self) -> None:
        """Keep what running calls hold, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.limits.run())
            tasks.create_task(self.budgets.run())

    async def close(self) -> None:
        await self.limits.close()
        await self.budgets.close()
        await self._spending.close()
