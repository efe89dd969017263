"""Logs: one line per call and per event on stdout, as JSON or for people."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import Any

import msgspec
import structlog

from llmitm.call import AttemptRecord, CallRecord
from llmitm.errors import SHAPES, Cause
from llmitm.log_sink import LineSink

LEVELS = {"debug": 10, "info": 20, "warning": 30, "warn": 30, "error": 40}
# The access log's line, in this order.
FIELDS = (
    "ts", "level", "event", "request_id", "key", "user", "team", "dialect", "operation", "route",
    "model", "target", "attempts", "status", "error", "stream", "prompt_tokens", "cached_tokens",
    "completion_tokens", "reasoning_tokens", "estimated", "cost_usd", "ttft_ms", "duration_ms",
    "overhead_ms", "client",
)  # fmt: skip
FLUSH_SECONDS = 2.0

_encode = msgspec.json.Encoder(decimal_format="number", enc_hook=str).encode
_log = structlog.get_logger()


class SinkHandler(logging.Handler):
    """Sends the records of the standard library's logging to a sink."""

    def __init__(self, sink: LineSink) -> None:
        super().__init__()
        self.sink = sink

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record)
        except Exception:  # noqa: BLE001 whatever a library logs; it is told on stderr
            self.handleError(record)
        else:
            self.sink.write(line.encode("utf-8", "backslashreplace") + b"\n")

    def flush(self) -> None:
        self.sink.flush(FLUSH_SECONDS)

    def close(self) -> None:
        self.sink.close()
        super().close()


class SinkLogger:
    """What structlog hands finished lines to."""

    def __init__(self, sink: LineSink) -> None:
        self._write = sink.write

    def msg(self, line: str) -> None:
        self._write(line.encode("utf-8", "backslashreplace") + b"\n")

    debug = info = warning = error = critical = log = msg


def configure(level: str = "info", style: str = "json") -> None:
    """Send the gateway's and mitmproxy's log records to stdout, as JSON lines or for people.

    Without a stdout there is no log. Calling it again changes level and style.
    """
    number = LEVELS[level]
    sink = _stdout()
    render = _for_people() if style == "console" else _as_json
    structlog.configure(
        processors=[structlog.processors.add_log_level, _timestamp, render],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=lambda *_: SinkLogger(sink),
        cache_logger_on_first_use=False,
    )
    handler = SinkHandler(sink)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_log_level, _timestamp],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                render,
            ],
        )
    )
    root = logging.getLogger()
    before, root.handlers[:] = root.handlers[:], [handler]
    for old in before:
        if isinstance(old, SinkHandler) and old.sink is not sink:
            old.close()
    root.setLevel(number)
    # mitmproxy announces every connection; the access log says more about each call.
    logging.getLogger("mitmproxy").setLevel(max(number, logging.WARNING))
    logging.getLogger("mitmproxy.addons.proxyserver").addFilter(_matters)


def _matters(record: logging.LogRecord) -> bool:
    """The addon that mitmproxy misses here is for its own protocols; gateway mode uses none.

    A listener that can't start ends the gateway, which says so without a stack.
    """
    said = record.getMessage()
    return "without nextlayer addon" not in said and "Stack backtrace" not in said


def access_line(record: CallRecord) -> None:
    """Log one ended call: an error where the gateway or its providers failed, else information."""
    fields = access_fields(record)
    level = "error" if failed(record) else "info"
    _log.log(LEVELS[level], "call", **fields)


def access_fields(record: CallRecord) -> dict[str, Any]:
    """The fields of the access log's line, but for its level and its event."""
    fields = {name: getattr(record, name) for name in FIELDS if name not in ("level", "event")}
    fields["ts"] = datetime.fromtimestamp(record.ts, UTC).isoformat(timespec="milliseconds")
    return fields


def failed(record: CallRecord) -> bool:
    """Whether a call failed for a reason that isn't its client's, in mid-stream too."""
    cause = record.error
    return record.status >= 500 or (cause is not None and SHAPES[Cause(cause)].status >= 500)


def _stdout() -> LineSink:
    try:
        sys.stdout.flush()
        fd = sys.stdout.fileno()
    except (AttributeError, OSError, ValueError):  # there is none, or it is closed, or no file
        return LineSink(-1, lambda _: b"", waiting=0)
    known = (h.sink for h in logging.getLogger().handlers if isinstance(h, SinkHandler))
    # The one that is there goes on, so that lines stay in order and nobody waits for them.
    return next((sink for sink in known if sink.fd == fd), None) or LineSink(fd, _dropped_line)


def _dropped_line(number: int) -> bytes:
    event = {"level": "warning", "event": "log lines dropped", "lines": number}
    return (_as_json(None, "", _timestamp(None, "", event)) + "\n").encode()


def _timestamp(
    _logger: Any, _name: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    if "ts" not in event:
        event["ts"] = datetime.now(UTC).isoformat(timespec="milliseconds")
    return event


def _as_json(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> str:
    first = {name: event.pop(name) for name in ("ts", "level", "event") if name in event}
    fields = {**first, **event}
    try:
        return _encode(fields).decode()
    except UnicodeEncodeError:  # half of a surrogate pair, from somebody's text
        return json.dumps(fields, default=str)


def _for_people() -> Any:
    """A processor that makes a line of what has a value, in colour on a terminal."""
    render = structlog.dev.ConsoleRenderer(
        colors=sys.stdout.isatty(),
        sort_keys=False,
        # The usual one prints local variables, and so keys and prompts.
        exception_formatter=structlog.dev.plain_traceback,
    )

    def line(logger: Any, name: str, event: MutableMapping[str, Any]) -> str:
        told = {key: value for key, value in event.items() if value not in (None, 0, (), False)}
        told["timestamp"] = told.pop("ts")
        if cost := told.get("cost_usd"):
            told["cost_usd"] = f"{cost:f}"
        if attempts := told.get("attempts"):
            told["attempts"] = " → ".join(map(_attempt, attempts))
        return str(render(logger, name, told))

    return line


def _attempt(attempt: AttemptRecord) -> str:
    return f"{attempt.target} {attempt.error or attempt.status} {attempt.ms} ms"
