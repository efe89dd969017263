"""The inspector's parts, put together."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from llmitm.config.address import Address
from llmitm.config.schema import Inspector
from llmitm.engine.lifecycle import Lifecycle
from llmitm.inspector.book import Book
from llmitm.inspector.desk import Desk
from llmitm.inspector.hold import Holds
from llmitm.inspector.live import Live
from llmitm.inspector.replay import Replays
from llmitm.inspector.site import Site
from llmitm.inspector.snapshot import Seen
from llmitm.inspector.summary import Scalar


class Parts:
    """The inspector of one process, from load to done; in a worker of several on `socket`."""

    def __init__(
        self,
        settings: Inspector,
        address: Address,
        lifecycle: Lifecycle,
        why: Callable[[Seen], dict[str, Scalar]],
        socket: Path | None = None,
    ) -> None:
        self.holds = Holds(settings)
        self.holds.set_filter(settings.hold)
        self.book = Book(settings, why, self.holds.decide)
        self.replays = Replays(self.book, lifecycle)
        self.live = Live(self.book)
        self.desk = Desk(self.book, self.holds, self.replays, self.live)
        password = settings.password.reveal() if settings.password else None
        self.site = Site(self.desk, self.live, address, password, socket)

    def start(self) -> None:
        self.site.start()
        self.desk.events.install()

    async def stop(self) -> None:
        self.desk.events.uninstall()
        self.replays.stop()
        await self.site.stop()
