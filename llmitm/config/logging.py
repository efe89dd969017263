"""`policies/logging.yaml`: what is logged, and how."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

from llmitm.config.model import Model

Content = Literal["off", "redacted", "full"]


def _level(value: Any) -> Any:
    name = value.lower() if isinstance(value, str) else value
    return {"warn": "warning"}.get(name, name) if isinstance(name, str) else name


class Logging(Model):
    """`content` is how much of prompts and answers is kept for keys that do not say."""

    level: Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(_level)] = "info"
    content: Content = "off"
    access_log: bool = True
    format: Literal["json", "console"] = "json"
