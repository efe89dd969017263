from __future__ import annotations

from llmitm.config import schema


def test_names_what_others_use() -> None:
    """Every record has its name in `schema`, sorted, and no name is missing."""
    assert schema.__all__ == sorted(schema.__all__)
    assert all(hasattr(schema, name) for name in schema.__all__)
