"""`policies/logging.yaml`: what is logged, and how."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

from llmitm.config.model import Model
from llmitm.config.values import PositiveDuration

Content = Literal["off", "redacted", "full"]


def _level(value: Any) -> Any:
    name = value.lower() if isinstance(value, str) else value
    return {"warn": "warning"}.get(name, name) if isinstance(name, str) else name


class Logging(Model):
    """`content` is how much of prompts and answers is kept for keys that do not say.

    `keep_calls` and `keep_content` are seconds after which the ledger forgets calls and what they
    said, None for never; the totals of forgotten calls stay.
    """

    level: Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(_level)] = "info"
    content: Content = "off"
    keep_calls: PositiveDuration | None = None
    keep_content: PositiveDuration | None = 30 * 86_400
    access_log: bool = True
    format: Literal["json", "console"] = "json"
