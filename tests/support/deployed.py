"""Reads the gateway's configuration out of what is deployed, as the gateway would."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from llmitm.config.load import Loaded, load
from tests.support.tools import ROOT

SECRETS = {
    "LLMITM_ADMIN_TOKEN": "a" * 40,
    "LLMITM_DEV_KEY": "sk-" + "b" * 40,
    "LLMITM_LEDGER_URL": "postgresql://llmitm:c@postgres/llmitm",
    "LLMITM_SHARED_URL": "redis://:d@valkey:6379/0",
    "VALKEY_PASSWORD": "d" * 40,
}


def configured(
    folder: Path, gateway: Path | str, policies: Path | Mapping[str, Any] | None = None
) -> Loaded:
    """The configuration as it lies in a container: config/ beside policies/.

    Raises ConfigErrors for what the gateway would not start with.
    """
    (folder / "config").mkdir()
    config = folder / "config" / "gateway.yaml"
    config.write_text(gateway if isinstance(gateway, str) else gateway.read_text())
    if isinstance(policies, Mapping):
        (folder / "policies").mkdir()
        for name, text in policies.items():
            (folder / "policies" / name).write_text(text)
    else:
        shutil.copytree(policies or ROOT / "policies", folder / "policies")
    return load(config, SECRETS)


def documents(text: str) -> list[dict[str, Any]]:
    """The objects in a file of Kubernetes."""
    return [document for document in yaml.safe_load_all(text) if document]
