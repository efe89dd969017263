"""Ending a running call from outside, for an operator who has seen enough of it."""

from __future__ import annotations

import asyncio

from llmitm.call import Call
from llmitm.errors import Cause, GatewayError

MESSAGE = "An operator stopped this request."


def kill(call: Call) -> bool:
    """End a running call: no provider is asked any more, and the client is told.

    Returns whether there was anything to end.
    """
    if call.task is None or call.killed:
        return False
    call.killed = True
    call.task.cancel()
    return True


def killed(call: Call) -> GatewayError | None:
    """What a cancelled call ends with where it was killed; None where its client has left.

    For the one place that catches the cancellation: it counts as dealt with from here on.
    """
    task = asyncio.current_task()
    if not call.killed or task is None or task.uncancel():
        return None
    return GatewayError(Cause.KILLED, MESSAGE)
