"""Ids that no two replies of a process share."""

from __future__ import annotations

from itertools import count
from secrets import token_hex

_run = token_hex(4)
_next = count(1).__next__


def new_id(prefix: str) -> str:
    """A new id: `prefix` and 24 hexadecimal digits."""
    return f"{prefix}{_run}{_next():016x}"
