"""Answers that name models: the lists of the dialects, and one model's object.

The gateway knows names only; sizes, digests and dates are the dialects' empty values.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

_encode = msgspec.json.Encoder().encode

_EPOCH = "1970-01-01T00:00:00Z"
_NEVER = "2100-01-01T00:00:00Z"
_DETAILS = {
    "parent_model": "",
    "format": "",
    "family": "",
    "families": [],
    "parameter_size": "",
    "quantization_level": "",
}


def models_list(dialect: str, operation: str, names: Iterable[str]) -> bytes:
    """The body that lists `names`: ``/v1/models``, ``/api/tags`` or, for "ps", ``/api/ps``."""
    models = [_model(dialect, operation, name) for name in names]
    if dialect == "ollama":
        return _encode({"models": models})
    if dialect == "openai":
        return _encode({"object": "list", "data": models})
    ends = [models[0]["id"], models[-1]["id"]] if models else [None, None]
    return _encode({"data": models, "has_more": False, "first_id": ends[0], "last_id": ends[1]})


def model_object(dialect: str, operation: str, name: str) -> bytes:
    """The body for one model: ``/v1/models/{model}``, or ``/api/show`` (operation "show")."""
    return _encode(_model(dialect, operation, name))


def _model(dialect: str, operation: str, name: str) -> dict[str, Any]:
    if dialect == "openai":
        return {"id": name, "object": "model", "created": 0, "owned_by": "llmitm"}
    if dialect == "anthropic":
        return {
            "type": "model",
            "id": name,
            "display_name": name,
            "created_at": _EPOCH,
            "lifecycle": "active",
        }
    if operation == "show":
        return {
            "modified_at": _EPOCH,
            "details": _DETAILS,
            "model_info": {},
            "capabilities": ["completion"],
        }
    model = {"name": name, "model": name, "size": 0, "digest": "", "details": _DETAILS}
    if operation == "ps":
        return {**model, "expires_at": _NEVER, "size_vram": 0}
    return {**model, "modified_at": _EPOCH}
