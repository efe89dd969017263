"""`llmitm demo`: what a newcomer sees."""

from __future__ import annotations

import re
import socket
from decimal import Decimal
from pathlib import Path

from rich.console import Console

from llmitm.call import AttemptRecord, CallRecord
from llmitm.demo import calls_table, configured
from tests.support.terminal import run


def test_once() -> None:
    """Three calls with OpenAI's SDK, what the gateway saw of them, and where to go from there."""
    output = run("demo", "--once", "--port", 0, "--admin-port", 0, "--inspector-port", 0).output
    rows = [line for line in output.splitlines() if line.startswith("│") and "+" in line]
    assert len(rows) == 3
    assert "flaky/gpt-4o@503 (503) →" in output and "steady/gpt-4o" in output
    for row in rows:
        asked, tokens, cost, _first, total = (cell.strip() for cell in row.split("│")[1:-1])
        prompt, completion = map(int, tokens.split(" + "))
        assert asked
        assert prompt > 0 and completion > 0
        assert Decimal(cost) > 0
        assert total.endswith(" ms")
    assert rows[1].split("│")[4].strip().endswith(" ms")
    for told in ("OpenAI(base_url=", "Anthropic(base_url=", "ollama.Client(", "/metrics", "curl"):
        assert told in output


def test_what_it_prints_can_be_copied() -> None:
    """Addresses and commands stand on one line each, however narrow the terminal is."""
    output = run("demo", "--once", "--port", 0, "--admin-port", 0, "--inspector-port", 0).output
    [url] = re.findall(r'OpenAI\(base_url="(http://127\.0\.0\.1:\d+)/v1"', output)
    assert f'Anthropic(base_url="{url}", api_key="sk-demo")' in output
    assert re.search(r"^ +-d '\{.*\}'$", output, re.MULTILINE)


def test_port_taken() -> None:
    """A port that another program has is told, with the way out."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        first = run(
            "demo", "--once", "--port", port, "--admin-port", 0, "--inspector-port", 0, code=1
        ).output
        second = run(
            "demo", "--once", "--port", 0, "--admin-port", port, "--inspector-port", 0, code=1
        ).output
    for output in (first, second):
        assert str(port) in output and "--port, --admin-port" in output
        assert "Traceback" not in output


def test_configuration(tmp_path: Path) -> None:
    """Its files are a whole configuration, to be read and edited."""
    loaded = configured(tmp_path, 0, 0, 0)
    assert loaded.warnings == () or all("secret" in str(w) for w in loaded.warnings)
    assert {route.model for route in loaded.policies.routes} == {"gpt-4o-mini", "unreliable"}
    assert (tmp_path / "policies" / "routes.yaml").is_file()


def test_table() -> None:
    """A price that nobody knows is told as such."""
    record = CallRecord(
        request_id="req_1",
        ts=0.0,
        dialect="openai",
        operation="chat",
        status=200,
        attempts=(AttemptRecord("a/m", None, "reset", 1), AttemptRecord("b/m", 200, None, 2)),
    )
    console = Console(width=120, record=True, file=None, quiet=False)
    with console.capture() as capture:
        console.print(calls_table([record]))
    assert "a/m (reset) → b/m" in capture.get()
    assert "unknown" in capture.get()
