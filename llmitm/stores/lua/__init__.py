"""The scripts that the shared store runs, each one atomic."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files
from typing import NamedTuple


class Script(NamedTuple):
    """A script's text, and the SHA-1 by which the store knows it."""

    text: str
    sha: str


@cache
def script(name: str) -> Script:
    """The script of a file, behind what they all share."""
    here = files(__name__)
    parts = [
        here.joinpath(f"{part}.lua").read_text(encoding="utf-8") for part in ("accounts", name)
    ]
    text = "\n".join(parts)
    return Script(text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())
