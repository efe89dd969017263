"""NeuroGate's metric names, for dashboards that know them."""

from __future__ import annotations

from mitmproxy import http

from llmitm.call import call_of
from llmitm.runtime import runtime
from llmitm.seeds.aliases import Aliases


class SeedMetrics:
    def __init__(self) -> None:
        self._aliases: Aliases | None = None

    def running(self) -> None:
        table = runtime().metrics
        self._aliases = Aliases(table)
        table.registry.register(self._aliases)

    def call_end(self, flow: http.HTTPFlow) -> None:
        if self._aliases is not None:
            self._aliases.learn(call_of(flow))


addons = [SeedMetrics()]
