"""Bringing a database to the schema of this version: the steps of `migrations/`, in order."""

# ruff: noqa: S608 -- only names of our own tables and columns are put together; values are bound

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from llmitm.stores.errors import Misconfigured

_NAME = re.compile(r"(?P<version>\d{4})_\w+\.(?P<backend>sqlite|postgres)\.sql")

VERSION_TABLE = "CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL)"
READ_VERSION = "SELECT coalesce(max(version), 0) FROM schema_version"


@dataclass(frozen=True, slots=True)
class Step:
    """What takes a database from the version before to `version`."""

    version: int
    sql: str

    @property
    def record(self) -> str:
        return f"INSERT INTO schema_version VALUES ({self.version})"


@cache
def steps(backend: str) -> tuple[Step, ...]:
    """All steps of a backend, `sqlite` or `postgres`, in order."""
    matches = [
        (entry, _NAME.fullmatch(entry.name))
        for entry in files("llmitm.stores.migrations").iterdir()
    ]
    found = [
        Step(int(match["version"]), entry.read_text(encoding="utf-8"))
        for entry, match in matches
        if match is not None and match["backend"] == backend
    ]
    return tuple(sorted(found, key=lambda step: step.version))


def missing(known: Sequence[Step], current: int) -> Sequence[Step]:
    """The steps a database at version `current` lacks. Raises Misconfigured where it is newer."""
    latest = known[-1].version
    if current > latest:
        raise Misconfigured(
            f"the ledger's database has schema version {current}, this llmitm knows up to {latest}:"
            " upgrade llmitm, or point store.ledger at another database"
        )
    return known[current:]


def check(known: Sequence[Step], current: int) -> None:
    """Raises Misconfigured where a database at version `current` can't be read as it is."""
    if missing(known, current):
        raise Misconfigured(
            f"the ledger's database has schema version {current}, this llmitm needs"
            f" {known[-1].version}: start the gateway on it once"
        )
