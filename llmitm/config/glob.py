"""Model patterns: `*`, `?` and `[…]`, case-sensitive, where `/` and `:` are ordinary characters."""

from __future__ import annotations

import fnmatch
import re
from functools import lru_cache

from llmitm.config.problems import Fault

_MAGIC = re.compile(r"[*?[]")
_UNCLOSED = re.compile(r"\[!?\]?[^\]]*\Z")


def is_glob(pattern: str) -> bool:
    """Whether `pattern` can match other names than itself."""
    return _MAGIC.search(pattern) is not None


def matches(pattern: str, name: str) -> bool:
    """Whether `name` is the pattern itself or matches it."""
    return pattern == name or _compiled(pattern).match(name) is not None


def check_glob(pattern: str) -> str:
    """The pattern. Raises `Fault` where it is empty, has blanks around it or an open bracket."""
    if not pattern or pattern != pattern.strip():
        raise Fault("must not be empty or have blanks around it", 'write "*" to match every model')
    if _UNCLOSED.search(pattern):
        raise Fault(f"the bracket in {pattern!r} is never closed", "close it with ]")
    return pattern


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(fnmatch.translate(pattern))
