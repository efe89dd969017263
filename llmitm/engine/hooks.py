"""The hook table: which addon methods run for which hook, looked up once instead of per call.

mitmproxy's own `AddonManager.trigger_event` walks every addon for every hook and logs what an
addon raises, so a refusing addon that fails would let the call through. Here the bound methods
are collected when the addon list changes, and a hook that decides about a call fails closed.
"""

from __future__ import annotations

import inspect
import logging
import types
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any

from mitmproxy import exceptions, hooks, http
from mitmproxy.addonmanager import traverse

from llmitm.call import Attempt
from llmitm.engine.failure import AttemptFailed
from llmitm.errors import Cause, GatewayError

logger = logging.getLogger(__name__)

# A call is decided in these hooks: what an addon raises there stops the call.
DECIDING = frozenset(
    {
        "requestheaders",
        "request",
        "upstream_request",
        "responseheaders",
        "response",
        "websocket_start",
        "websocket_message",
    }
)
OBSERVING = frozenset(
    {
        "upstream_response",
        "error",
        "settle",
        "call_end",
        "draining",
        "websocket_end",
        "update",
    }
)

Handler = Callable[..., Awaitable[None] | None]


class UpstreamRequestHook(hooks.Hook):
    """An attempt is about to be sent. Its url, headers and body may still be changed."""

    flow: http.HTTPFlow
    attempt: Attempt


class UpstreamResponseHook(hooks.Hook):
    """An attempt is over: it was answered in full, refused or failed."""

    flow: http.HTTPFlow
    attempt: Attempt


class SettleHook(hooks.Hook):
    """The answer is known. Usage and cost are completed here, before the call is frozen."""

    flow: http.HTTPFlow


class CallEndHook(hooks.Hook):
    """The call is over, whatever happened to it. Fires exactly once; `call.record` is frozen."""

    flow: http.HTTPFlow


class HookTable:
    """Bound addon methods per hook, in the order of the addon list."""

    def __init__(self) -> None:
        self._table: dict[str, tuple[Handler, ...]] = {}

    def rebuild(self, addons: Iterable[object]) -> None:
        chain = list(traverse(list(addons)))
        self._table = {name: tuple(_handlers(chain, name)) for name in sorted(DECIDING | OBSERVING)}

    def has(self, name: str) -> bool:
        return bool(self._table.get(name))

    async def decide(self, name: str, *args: Any) -> None:
        """Run a deciding hook. Raises GatewayError: the addon's own, or `internal` for a fault."""
        for handler in self._table[name]:
            try:
                result = handler(*args)
                if result is not None and inspect.isawaitable(result):
                    await result
            except (GatewayError, AttemptFailed):
                raise
            except exceptions.AddonHalt:
                return
            except Exception as fault:
                logger.exception("addon failed in %s: the call is refused", name)
                raise GatewayError(
                    Cause.INTERNAL, "The gateway failed while handling this request."
                ) from fault
            refuse_killed(args[0])

    async def observe(self, name: str, *args: Any) -> None:
        """Run an observing hook: a fault is logged and the next addon still runs."""
        for handler in self._table.get(name, ()):
            try:
                result = handler(*args)
                if result is not None and inspect.isawaitable(result):
                    await result
            except exceptions.AddonHalt:
                return
            except Exception:
                logger.exception("addon failed in %s", name)


def refuse_killed(flow: http.HTTPFlow) -> None:
    """Raises GatewayError for a flow that an addon or an operator killed (`flow.kill`)."""
    if flow.error is not None and flow.error.msg == flow.error.KILLED_MESSAGE:
        raise GatewayError(Cause.PERMISSION, "This request was stopped on its way.")


def _handlers(chain: list[object], name: str) -> Iterator[Handler]:
    for addon in chain:
        handler = getattr(addon, name, None)
        # A script may have imported a module whose name is that of a hook.
        if callable(handler) and not isinstance(handler, types.ModuleType):
            yield handler
