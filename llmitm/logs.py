"""Logs: one JSON line per call and per event, on stdout."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import Any

import msgspec
import structlog

from llmitm.call import CallRecord

_encode = msgspec.json.Encoder(decimal_format="number").encode
LEVELS = {"debug": 10, "info": 20, "warning": 30, "warn": 30, "error": 40}


def _render(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> bytes:
    return _encode(event)


def _timestamp(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> Any:
    if "ts" not in event:
        event["ts"] = datetime.now(UTC).isoformat(timespec="milliseconds")
    return event


def configure(level: str = "info", style: str = "json") -> None:
    """Send the gateway's and mitmproxy's log records to stdout, as JSON lines or for people."""
    number = LEVELS[level]
    shared: list[Any] = [structlog.stdlib.add_log_level, _timestamp]
    structlog.configure(
        processors=[structlog.processors.add_log_level, _timestamp, _render],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.BytesLoggerFactory(sys.stdout.buffer),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stdout)
    final: Any = (
        structlog.dev.ConsoleRenderer() if style == "console" else lambda *a: _render(*a).decode()
    )
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.processors.format_exc_info,
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                final,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(number)
    # mitmproxy announces every connection; the access log says more about each call.
    logging.getLogger("mitmproxy").setLevel(max(number, logging.WARNING))


def access_line(record: CallRecord) -> None:
    """The access log's line for one ended call."""
    fields = msgspec.structs.asdict(record)
    fields["ts"] = datetime.fromtimestamp(record.ts, UTC).isoformat(timespec="milliseconds")
    fields["request_id"] = record.request_id
    fields["attempts"] = record.attempts
    level = "info" if record.status < 500 else "error"
    structlog.get_logger().log(LEVELS[level], "call", **fields)
