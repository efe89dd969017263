"""The tables that records are written to, as both databases and the spool see them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Column:
    """One value of a record; `type` is the name both databases know it by."""

    name: str
    type: str = "text"


@dataclass(frozen=True, slots=True)
class Table:
    """Where records of one kind go. A record is a JSON array of the columns' values, in order.

    A column is only ever added at the end: spool files outlive the version that wrote them.
    """

    name: str
    columns: tuple[Column, ...]

    @property
    def names(self) -> str:
        return ", ".join(column.name for column in self.columns)


def _columns(spec: str) -> tuple[Column, ...]:
    return tuple(Column(*part.split(":")) for part in spec.split())


CALLS = Table(
    "calls",
    _columns(
        "request_id ts:float8 quarter:bigint key_id user_id team dialect operation route model"
        " target attempts status:int stream:boolean error prompt_tokens:bigint cached_tokens:bigint"
        " cache_write_tokens:bigint completion_tokens:bigint reasoning_tokens:bigint"
        " estimated:boolean cost_pico:bigint ttft_ms:float8 duration_ms:float8 overhead_ms:float8"
        " client"
    ),
)
CONTENT = Table("content", _columns("request_id ts:float8 request response"))
