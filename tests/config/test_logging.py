from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from llmitm.config.logging import Logging


@pytest.mark.parametrize(
    ("written", "level"),
    [("debug", "debug"), ("INFO", "info"), ("warn", "warning"), ("Warning", "warning")],
)
def test_levels(written: str, level: str) -> None:
    """Levels are taken in any case, and `warn` is `warning`."""
    assert Logging.model_validate({"level": written}).level == level


@pytest.mark.parametrize(
    "wrong", [{"level": "loud"}, {"level": 3}, {"content": "all"}, {"format": "xml"}]
)
def test_refuses(wrong: Any) -> None:
    """Unknown levels, contents and formats are refused."""
    with pytest.raises(ValidationError):
        Logging.model_validate(wrong)


def test_defaults() -> None:
    """One JSON line per call, without what was said in it."""
    usual = Logging()
    assert (usual.level, usual.content, usual.access_log, usual.format) == (
        "info",
        "off",
        True,
        "json",
    )
