"""Gateways as the seeds' documents start them, by environment alone, and curl as they use it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from llmitm.config.load import load
from tests.support.gateway import Gateway, Starter

SECONDS = 60


def from_environment(starter: Starter, **env: str) -> Gateway:
    """A gateway without a single file, the seeds' endpoints on, every port a free one."""
    whole = {
        "HOME": str(starter.directory),
        "LLMITM_SEED_APIS": "true",
        "HTTP_PORT": "0",
        "METRICS_PORT": "0",
        "LLM_RETRY_DELAY": "1ms",
        **env,
    }
    loaded = load(None, whole)
    listen = loaded.gateway.listen.model_copy(update={"inspector": None})
    gateway = loaded.gateway.model_copy(update={"listen": listen})
    return starter.serve(replace(loaded, gateway=gateway), whole)


@dataclass(frozen=True)
class Curled:
    """What curl printed. `headers` have lower-case names."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


def curl(*arguments: str) -> Curled:
    """Run curl as a document shows it; without -X it is a GET."""
    command = ["curl", "--silent", "--show-error", "--include", "--max-time", str(SECONDS)]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=True)
    head, _, text = done.stdout.replace("\r\n", "\n").partition("\n\n")
    status, *lines = head.splitlines()
    pairs = (line.partition(":") for line in lines)
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    return Curled(int(status.split()[1]), headers, text)


def post(url: str, body: object, *arguments: str) -> Curled:
    """A POST of JSON in curl's words, with further arguments such as headers."""
    kind = "Content-Type: application/json"
    return curl("-X", "POST", url, "-H", kind, *arguments, "-d", json.dumps(body))
