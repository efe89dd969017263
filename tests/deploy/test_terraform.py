"""Terraform: formatted, its expressions evaluated, its chart and values those of the chart."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.support.tools import ROOT, tool

FOLDER = ROOT / "deploy" / "terraform"
MAIN = (FOLDER / "main.tf").read_text()
VALUES = yaml.safe_load((ROOT / "deploy" / "helm" / "llmitm" / "values.yaml").read_text())


def terraform(*arguments: str, folder: Path = FOLDER, given: str = "") -> str:
    env = {**os.environ, "TF_CLI_CONFIG_FILE": os.devnull, "CHECKPOINT_DISABLE": "1"}
    done = subprocess.run(
        [tool("terraform"), *arguments], cwd=folder, env=env, input=given, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_format() -> None:
    """`terraform fmt` would change nothing."""
    terraform("fmt", "-check", "-diff", "-recursive")


@pytest.fixture
def expressions(tmp_path: Path) -> Path:
    """The variables and locals alone: they need no provider, which would have to be fetched."""
    (tmp_path / "variables.tf").write_text((FOLDER / "variables.tf").read_text())
    body = re.search(r"^locals \{.*?^\}\n", MAIN, re.MULTILINE | re.DOTALL)
    assert body
    (tmp_path / "locals.tf").write_text(body[0])
    terraform("validate", folder=tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("variables", "stores"),
    [
        ((), {}),
        (("shared_url=redis://y",), {"shared": "${LLMITM_SHARED_URL}"}),
        (
            ("shared_url=redis://y", "ledger_url=postgresql://x"),
            {"shared": "${LLMITM_SHARED_URL}", "ledger": "${LLMITM_LEDGER_URL}"},
        ),
    ],
)
def test_stores(expressions: Path, variables: tuple[str, ...], stores: dict[str, str]) -> None:
    """The chart is told of stores by the names of keys in the secret, never by their URLs."""
    arguments = [part for variable in variables for part in ("-var", variable)]
    given = "jsonencode(local.stores)\n"
    said = terraform("console", *arguments, folder=expressions, given=given)
    assert json.loads(json.loads(said)) == stores


def test_chart_and_values() -> None:
    """It installs the chart beside it, with values that the chart has."""
    assert 'chart     = "${path.module}/../helm/llmitm"' in MAIN
    encoded = MAIN.partition("yamlencode({")[2].partition("})")[0]
    names = set(re.findall(r"^ +(\w+) +=", encoded, re.MULTILINE))
    assert names == {"image", "replicaCount", "existingSecret", "config"} <= set(VALUES)


def test_everything_named_is_there() -> None:
    """Every variable is used, and every one that is used is declared."""
    texts = [path.read_text() for path in FOLDER.glob("*.tf")]
    used = {name for text in texts for name in re.findall(r"\bvar\.(\w+)", text)}
    declared = re.findall(r'^variable "(\w+)"', (FOLDER / "variables.tf").read_text(), re.MULTILINE)
    assert used == set(declared)
    resources = {
        ".".join(pair) for pair in re.findall(r'^resource "(\w+)" "(\w+)"', MAIN, re.MULTILINE)
    }
    spoken = {
        name for t in texts for name in re.findall(r"\b((?:kubernetes|random|helm)_\w+\.\w+)", t)
    }
    assert spoken <= resources


def test_credentials_are_sensitive() -> None:
    """No credential is shown by plan or output."""
    variables = (FOLDER / "variables.tf").read_text() + (FOLDER / "outputs.tf").read_text()
    blocks = re.findall(
        r'^(?:variable|output) "(\w+)" \{(.*?)^\}', variables, re.MULTILINE | re.DOTALL
    )
    secret = {name for name, body in blocks if re.search(r"sensitive\s+= true", body)}
    assert secret == {"ledger_url", "shared_url", "provider_keys", "dev_key", "admin_token"}
