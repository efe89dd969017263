from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from llmitm.config.cache import Cache


def test_defaults() -> None:
    """Only the time has to be given; answers are the key's own, and bounded."""
    cache = Cache.model_validate({"ttl": "5m"})
    assert (cache.ttl, cache.scope) == (300, "key")
    assert (cache.max_entries, cache.max_bytes) == (1000, 64 << 20)


@pytest.mark.parametrize(
    "cache",
    [
        {},
        {"ttl": 0},
        {"ttl": "soon"},
        {"ttl": 1, "scope": "everybody"},
        {"ttl": 1, "max_entries": 0},
        {"ttl": 1, "max_bytes": 0},
        {"ttl": 1, "size": 3},
    ],
)
def test_refuses(cache: dict[str, Any]) -> None:
    """What makes no sense, and what isn't known, is an error."""
    with pytest.raises(ValidationError):
        Cache.model_validate(cache)
