"""Forgets calls, and what they said, once they are older than policies/logging.yaml wants."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from llmitm.config.schema import Logging
from llmitm.stores.errors import LedgerError
from llmitm.stores.ledger import Ledger

logger = logging.getLogger(__name__)

EVERY_SECONDS = 3600.0


async def run(ledger: Ledger, settings: Callable[[], Logging]) -> None:
    """Prune now and every hour, until cancelled."""
    while True:
        try:
            await prune(ledger, settings(), time.time())
        except LedgerError as fault:
            logger.warning("old calls can't be forgotten now: %s", fault)
        await asyncio.sleep(EVERY_SECONDS)


async def prune(ledger: Ledger, settings: Logging, now: float) -> None:
    """Forget what is too old at `now`. Raises LedgerError."""
    if settings.keep_calls is not None:
        calls = await ledger.prune(now - settings.keep_calls)
        logger.info("calls forgotten: %d", calls)
    if settings.keep_content is not None:
        contents = await ledger.prune_content(now - settings.keep_content)
        logger.info("prompts and answers forgotten: %d", contents)
