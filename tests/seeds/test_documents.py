"""The documents say what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from llmitm.config.environment import VARIABLES, Variable
from llmitm.seeds import table
from llmitm.seeds.alerts import CATEGORIES, CLIENT_ERROR, NETWORK_ERROR, SERVER_ERROR
from llmitm.seeds.aliases import ALIASES, SPEED

DOCS = Path(__file__).resolve().parents[2] / "docs"


def row(variable: Variable) -> str:
    where = ".".join(map(str, variable.where))
    overrides = f"`{variable.file}.yaml`: `{where}`" if variable.file else "—"
    return f"| `{variable.name}` | {variable.meaning} | {overrides} |"


def test_environment() -> None:
    """The page has a row for every variable of the table, in its order, and no other."""
    page = (DOCS / "environment.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("| `") and line.count("|") == 4]
    assert rows == [row(variable) for variable in VARIABLES]


def test_endpoints() -> None:
    """The page has a row for every endpoint."""
    page = (DOCS / "seed-apis.md").read_text()
    told = set(re.findall(r"^\| `([A-Z]+ /\S+)` \|", page, re.MULTILINE))
    ours = {f"POST {path}" for path in (*table.ENDPOINTS, table.SHARED)}
    assert told == ours | {f"{method} {path}" for path, (method, _) in table.KNOWN.items()}


def test_metrics() -> None:
    """The page has a row for every other name of a metric, with the metric that it stands for."""
    page = (DOCS / "seed-apis.md").read_text()
    told = dict(re.findall(r"^\| `(neurogate_\w+)` \| (?:`(\w+)`)?", page, re.MULTILINE))
    assert told == {**{alias.name: alias.source for alias in ALIASES}, SPEED: ""}


def test_categories() -> None:
    """The page has a row for every category of errors."""
    page = (DOCS / "seed-apis.md").read_text()
    told = set(re.findall(r"^\| `([a-z_]+)`[^|]*\| [\d45x, ]+ \|", page, re.MULTILINE))
    assert told == {*CATEGORIES.values(), NETWORK_ERROR, CLIENT_ERROR, SERVER_ERROR}
