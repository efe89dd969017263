"""mitmproxy's view of flows, where what an operator does reaches the calls of the gateway."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from mitmproxy import flow as mitm_flow
from mitmproxy.addons import view


class Listener(Protocol):
    """Hears of what an operator does with the flows."""

    def decided(self, flow: mitm_flow.Flow) -> None:
        """A flow was resumed, killed or edited."""

    def adopted(self, flow: mitm_flow.Flow) -> None:
        """A flow was duplicated or loaded from a file."""

    def removed(self, flow: mitm_flow.Flow) -> None:
        """A flow was deleted; a held one was killed by that."""

    def cleared(self) -> None:
        """All flows that aren't held were deleted."""


class CallView(view.View):
    """The calls and attempts that the inspector shows, oldest first.

    mitmweb's handlers change a flow and then call `update`, `remove` or `add`, so that is where
    to listen.
    """

    def __init__(self, listener: Listener) -> None:
        super().__init__()
        self._listener = listener

    def show(self, flow: mitm_flow.Flow) -> None:
        """Add a flow of the gateway's, or say that it changed."""
        if flow.id in self._store:
            super().update([flow])
        else:
            super().add([flow])

    def drop(self, flow: mitm_flow.Flow) -> None:
        """Let go of a flow that is not held."""
        super().remove([flow])

    def add(self, flows: Sequence[mitm_flow.Flow]) -> None:
        for flow in flows:
            super().add([flow])
            self._listener.adopted(flow)

    def update(self, flows: Sequence[mitm_flow.Flow]) -> None:
        super().update(flows)
        for flow in flows:
            self._listener.decided(flow)

    def remove(self, flows: Sequence[mitm_flow.Flow]) -> None:
        for flow in flows:
            super().remove([flow])  # which kills a held one
            self._listener.removed(flow)

    def clear(self) -> None:
        """Forget all flows but those that are held: their clients wait for a decision."""
        for flow in [flow for flow in self._store.values() if not flow.intercepted]:
            super().remove([flow])
        self._listener.cleared()
