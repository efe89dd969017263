"""A gateway whose log nobody reads answers all the same."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from ports import free_ports

from tests.support import process as processes
from tests.support.gateway import DEFAULT_POLICIES, KEY, Starter, default_settings, write

CALLS = 300  # of about 600 bytes each: more than twice what a pipe holds
SECONDS = 60
ROOT = Path(__file__).resolve().parents[2]
BODY = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


@pytest.mark.parametrize("closed", [False, True], ids=["stalled", "closed"])
def test_nobody_reads(starter: Starter, tmp_path: Path, closed: bool) -> None:
    """Calls go on while stdout is full, or its reader has gone, and the gateway ends well."""
    _, url = starter.simulator(tokens=2)
    gateway_port, admin_port = free_ports(2)
    settings = default_settings(url)
    settings["listen"] |= {
        "gateway": f"127.0.0.1:{gateway_port}",
        "admin": f"127.0.0.1:{admin_port}",
    }
    config = write(tmp_path, settings, DEFAULT_POLICIES)
    command = [sys.executable, "-m", "llmitm.cli", "serve", "-c", str(config)]
    reader, writer = os.pipe()
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    errors = (tmp_path / "errors.log").open("wb")
    popen = subprocess.Popen(command, stdout=writer, stderr=errors, env=env)
    os.close(writer)
    errors.close()
    gateway = processes.Process(
        popen, f"http://127.0.0.1:{gateway_port}", f"http://127.0.0.1:{admin_port}",
        tmp_path / "output.log",
    )  # fmt: skip
    with gateway:
        processes._await_ready(gateway)
        if closed:
            os.close(reader)
        headers = {"authorization": f"Bearer {KEY}"}
        with httpx.Client(base_url=gateway.url, headers=headers, timeout=SECONDS) as client:
            statuses = {
                client.post("/v1/chat/completions", json=BODY).status_code for _ in range(CALLS)
            }
        gateway.terminate()
        code = gateway.ended()
    if not closed:
        os.close(reader)
    assert statuses == {200}
    assert code == 0
