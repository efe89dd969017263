"""What the logs say of calls and events, as JSON and for people."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
import structlog

from llmitm import logs
from llmitm.call import AttemptRecord, CallRecord

# Design: exactly these fields.
FIELDS = [
    "ts", "level", "event", "request_id", "key", "user", "team", "dialect", "operation", "route",
    "model", "target", "attempts", "status", "error", "stream", "prompt_tokens", "cached_tokens",
    "completion_tokens", "reasoning_tokens", "estimated", "cost_usd", "ttft_ms", "duration_ms",
    "overhead_ms", "client",
]  # fmt: skip


def record(**fields: Any) -> CallRecord:
    usual: dict[str, Any] = {
        "request_id": "req_1",
        "ts": 1_800_000_000.25,
        "key": "dev",
        "dialect": "openai",
        "operation": "chat",
        "model": "gpt-4o",
        "target": "b/gpt-4o",
        "attempts": (
            AttemptRecord("a/gpt-4o", 503, "server_error", 12),
            AttemptRecord("b/gpt-4o", 200, None, 345),
        ),
        "status": 200,
        "cost_usd": Decimal("0.0000123"),
        "duration_ms": 357.5,
    }
    return CallRecord(**{**usual, **fields})


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    root, before = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.configure(**before)


def lines(capfd: pytest.CaptureFixture[str]) -> list[str]:
    logging.getLogger().handlers[0].flush()
    return capfd.readouterr().out.splitlines()


def only(capfd: pytest.CaptureFixture[str]) -> dict[str, Any]:
    [line] = lines(capfd)
    found: dict[str, Any] = json.loads(line)
    return found


def test_access_line(capfd: pytest.CaptureFixture[str]) -> None:
    """A call is one JSON line with the documented fields, in their order."""
    logs.configure()
    logs.access_line(record())
    line = only(capfd)
    assert list(line) == FIELDS
    assert line["ts"] == "2027-01-15T08:00:00.250+00:00"
    assert (line["level"], line["event"], line["cost_usd"]) == ("info", "call", 0.0000123)
    assert line["attempts"] == [
        {"target": "a/gpt-4o", "status": 503, "error": "server_error", "ms": 12},
        {"target": "b/gpt-4o", "status": 200, "error": None, "ms": 345},
    ]


@pytest.mark.parametrize(
    ("fields", "level"),
    [
        ({"status": 200}, "info"),
        ({"status": 429, "error": "rate_limited"}, "info"),
        ({"status": 499, "error": "client_closed"}, "info"),
        ({"status": 500, "error": "internal"}, "error"),
        ({"status": 503, "error": "circuit_open"}, "error"),
        ({"status": 200, "error": "stream_cut"}, "error"),
        ({"status": 400, "error": "upstream_refused"}, "info"),
    ],
)
def test_level(capfd: pytest.CaptureFixture[str], fields: dict[str, Any], level: str) -> None:
    """A call that failed for no fault of its client's is an error, in mid-stream too."""
    logs.configure()
    logs.access_line(record(**fields))
    assert only(capfd)["level"] == level


@pytest.mark.parametrize(
    ("level", "said"),
    [
        ("debug", ["debug", "info", "warning", "error"]),
        ("info", ["info", "warning", "error"]),
        ("warning", ["warning", "error"]),
        ("error", ["error"]),
    ],
)
def test_level_of_events(capfd: pytest.CaptureFixture[str], level: str, said: list[str]) -> None:
    """Events below the configured level are left out, and so are access lines."""
    logs.configure(level)
    logger = logging.getLogger("llmitm.somewhere")
    for name in ("debug", "info", "warning", "error"):
        logger.log(logs.LEVELS[name], "about %s", name)
    assert [json.loads(line)["level"] for line in lines(capfd)] == said
    logs.access_line(record())
    assert len(lines(capfd)) == ("info" in said)


def test_faults_have_their_traceback(capfd: pytest.CaptureFixture[str]) -> None:
    """An exception is one line too."""
    logs.configure()
    try:
        raise RuntimeError("no room")
    except RuntimeError:
        logging.getLogger("x").exception("failed at %s", "work")
    line = only(capfd)
    assert (line["event"], line["level"]) == ("failed at work", "error")
    assert line["exception"].endswith("RuntimeError: no room")


@pytest.mark.parametrize("style", ["json", "console"])
def test_local_variables_stay_out(capfd: pytest.CaptureFixture[str], style: str) -> None:
    """A traceback never shows the values of variables, which may be keys and prompts."""
    logs.configure(style=style)
    canary = "sk-" + "canary"
    try:
        raise RuntimeError(len(canary))
    except RuntimeError:
        logging.getLogger("x").exception("failed")
    assert "sk-canary" not in "".join(lines(capfd))


def test_for_people(capfd: pytest.CaptureFixture[str]) -> None:
    """The console style leaves out what has no value, and says the attempts in words."""
    logs.configure(style="console")
    logs.access_line(record())
    [line] = lines(capfd)
    assert "a/gpt-4o server_error 12 ms → b/gpt-4o 200 345 ms" in line
    assert "cost_usd=0.0000123" in line
    assert "team" not in line and "None" not in line and "\x1b" not in line


def test_style_and_level_change_while_it_runs(capfd: pytest.CaptureFixture[str]) -> None:
    """An edit of logging.yaml takes effect on the next line."""
    logs.configure("error")
    logs.access_line(record())
    logs.configure("info", "console")
    logs.access_line(record())
    logs.configure("info", "json")
    logs.access_line(record())
    people, machine = lines(capfd)
    assert "req_1" in people and not people.startswith("{")
    assert json.loads(machine)["request_id"] == "req_1"


@pytest.mark.parametrize("value", [float("nan"), {1, 2}, b"bytes", "\ud800", object()])
def test_whatever_is_logged(capfd: pytest.CaptureFixture[str], value: Any) -> None:
    """No value that a library logs makes the line fail, or breaks it."""
    logs.configure()
    logging.getLogger("x").warning("%s", value)
    structlog.get_logger().warning("event", value=value)
    assert [json.loads(line)["level"] for line in lines(capfd)] == ["warning"] * 2


def test_a_mistake_in_a_log_call(capfd: pytest.CaptureFixture[str]) -> None:
    """A record that can't be formatted is told on stderr, and the next one follows."""
    logs.configure()
    logging.getLogger("x").warning("%d items", "no number")
    logging.getLogger("x").warning("next")
    assert only(capfd)["event"] == "next"


PROGRAM = """
import logging
from llmitm import logs
logs.configure()
for number in range(1000):
    logging.getLogger("x").info("line %d", number)
"""


def test_everything_is_written_at_exit() -> None:
    """What was logged last is there when the process has ended."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, check=True)
    assert json.loads(done.stdout.splitlines()[-1])["event"] == "line 999"


def test_without_a_stdout() -> None:
    """A process whose stdout is closed has no log, and nothing goes into another's file."""
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(
        ["sh", "-c", '"$@" >&-', "sh", *command], stderr=subprocess.PIPE, check=True
    )
    assert done.stderr == b""
