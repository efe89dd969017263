"""The gateway's log in the page."""

from __future__ import annotations

import asyncio
import logging

from llmitm.inspector.events import MAX_EVENTS, Events


async def test_records_of_the_gateway_are_kept_and_told() -> None:
    """Records of llmitm's loggers, the last of them; other libraries' are not of interest."""
    told: list[str] = []
    events = Events(lambda entry: told.append(entry.msg))
    events.install()
    try:
        logging.getLogger("llmitm.somewhere").warning("watch %s", "out")
        logging.getLogger("other").warning("not me")
        await asyncio.sleep(0)
    finally:
        events.uninstall()
    logging.getLogger("llmitm.somewhere").warning("too late")
    await asyncio.sleep(0)
    assert told == ["watch out"]
    assert [(entry.msg, entry.level) for entry in events.data] == [("watch out", "warn")]
    assert events.data.maxlen == MAX_EVENTS
    events.clear()
    assert not events.data
