"""Which calls a report is about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

Dimension = Literal["key", "user", "team", "model", "target", "route"]
DIMENSIONS: tuple[Dimension, ...] = get_args(Dimension)
_COLUMNS = {"key": "key_id", "user": "user_id"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What a call must match; None does not filter.

    `since` is the first moment that counts and `until` the first that doesn't any more, in
    seconds since the epoch; a call counts by when it was accepted.
    """

    since: float | None = None
    until: float | None = None
    key: str | None = None
    user: str | None = None
    team: str | None = None
    model: str | None = None
    route: str | None = None
    target: str | None = None

    def exact(self) -> tuple[str, tuple[Any, ...]]:
        """` AND …` for everything but the time, and its parameters."""
        wanted = [
            (name, value) for name in DIMENSIONS if (value := getattr(self, name)) is not None
        ]
        sql = "".join(f" AND {column(name)} = ?" for name, _ in wanted)
        return sql, tuple(value for _, value in wanted)


def column(dimension: Dimension) -> str:
    """The column of a dimension. `key` and `user` are words of SQL."""
    return _COLUMNS.get(dimension, dimension)
