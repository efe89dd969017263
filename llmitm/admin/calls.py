"""Usage reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from llmitm.master import GatewayMaster


def routes(app: web.Application, master: GatewayMaster) -> None:
    """Reports over the ledger."""
