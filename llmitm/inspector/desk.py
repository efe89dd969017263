"""What mitmweb's handlers see of the gateway: its calls, and the few things that they may do.

mitmweb itself lets who is logged in run any command and set any option, which means to run code
and read files on this machine. Here are only those that look at calls, hold and repeat them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, Optional

from mitmproxy import command, exceptions, flow, optmanager
from mitmproxy.addons.export import Export

from llmitm.inspector.book import Book
from llmitm.inspector.events import Events
from llmitm.inspector.hold import Holds
from llmitm.inspector.live import Live
from llmitm.inspector.replay import Replays
from llmitm.inspector.view import CallView

# Of the columns that mitmweb knows; `comment` is the one that says what a call was.
COLUMNS = ("icon", "path", "comment", "status", "size", "time")


class Desk:
    """Stands in for mitmweb's master."""

    def __init__(self, book: Book, holds: Holds, replays: Replays, live: Live) -> None:
        self._book = book
        self._holds = holds
        self._live = live
        self.events = Events(live.event)
        self.options = _options(book.settings.hold)
        self.options.changed.connect(self._configure)
        self.commands = _commands(book.view, replays)
        self.proxyserver = SimpleNamespace(servers=())

    @property
    def view(self) -> CallView:
        """The calls as they are now: who reads them wants to see the running ones."""
        self._book.refresh()
        return self._book.view

    def kill(self, shown: flow.Flow) -> None:
        """End a call, whether it is held or on its way."""
        if shown.killable:
            shown.kill()
            self._book.view.update([shown])
        else:
            self._book.kill(shown)

    async def load_flow(self, loaded: flow.Flow) -> None:
        """Show a flow from a file that an operator opened."""
        self._book.view.add([loaded.copy()])

    def _configure(self, updated: set[str]) -> None:
        options = self.options
        expression = options.intercept if options.intercept_active else None
        if updated == {"intercept"}:  # mitmweb's own switch follows the filter
            options.intercept_active = bool(options.intercept)
            expression = options.intercept
        try:
            self._holds.set_filter(expression)
        except ValueError as fault:
            raise exceptions.OptionsError(str(fault)) from fault
        self._live.say("options/update", optmanager.dump_dicts(options, list(updated)))


def _options(hold: str | None) -> optmanager.OptManager:
    options = optmanager.OptManager()
    # mitmproxy's type checks know Optional, and not the newer way of writing it.
    maybe = Optional[str]  # noqa: UP045
    options.add_option("intercept", maybe, hold, "Hold the calls that match this filter.")
    options.add_option("intercept_active", bool, hold is not None, "Hold calls at all.")
    options.add_option("web_columns", Sequence[str], list(COLUMNS), "The columns of the list.")
    return options


def _commands(view: CallView, replays: Replays) -> command.CommandManager:
    manager = command.CommandManager(None)
    export = Export()
    allowed: Mapping[str, Callable[..., Any]] = {
        "view.flows.resolve": view.resolve,
        "export.formats": export.formats,
        "export": export.export_str,
        "replay.client": replays.start,
        "replay.client.count": replays.count,
        "replay.client.stop": replays.stop,
    }
    for name, function in allowed.items():
        manager.add(name, function)
    return manager
