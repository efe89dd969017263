"""OpenAI's files and models: /v1/files, /v1/models."""

from __future__ import annotations

import time
from typing import Any

from llmitm.simulator.exchange import Exchange
from llmitm.simulator.frames import encode
from llmitm.simulator.ids import new_id
from llmitm.simulator.refusals import REFUSALS, Refusal, Refused, invalid
from llmitm.simulator.reply import Reply

_KEEP = 1000
_NO_FILE = Refusal(404, "No such File object.", param="id", anthropic_type="not_found_error")


class Files:
    """The files that were uploaded: what is known about them, never their content."""

    def __init__(self) -> None:
        self._known: dict[str, dict[str, Any]] = {}

    def upload(self, ex: Exchange) -> Reply:
        match ex.body:
            case {"file": {"filename": name, "bytes": size}, "purpose": str(purpose)}:
                entry = _file(name, size, purpose)
            case _:
                raise Refused(invalid("'file' and 'purpose' are required.", "file"))
        while len(self._known) >= _KEEP:
            del self._known[next(iter(self._known))]
        self._known[entry["id"]] = entry
        return Reply("openai", encode(entry))

    def list(self, ex: Exchange) -> Reply:
        known = list(self._known.values())[::-1]
        return Reply("openai", encode({"object": "list", "data": known, "has_more": False}))

    def get(self, ex: Exchange) -> Reply:
        return Reply("openai", encode(self._find(ex.last)))

    def delete(self, ex: Exchange) -> Reply:
        del self._known[self._find(ex.last)["id"]]
        return Reply("openai", encode({"id": ex.last, "object": "file", "deleted": True}))

    def _find(self, name: str) -> dict[str, Any]:
        if name not in self._known:
            raise Refused(_NO_FILE)
        return self._known[name]


def models(ex: Exchange) -> Reply:
    known = [_model(name) for name in ex.settings.models]
    return Reply("openai", encode({"object": "list", "data": known}))


def model(ex: Exchange) -> Reply:
    if ex.last not in ex.settings.models:
        raise Refused(REFUSALS["404"])
    return Reply("openai", encode(_model(ex.last)))


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 1767225600, "owned_by": "simulator"}


def _file(name: str, size: int, purpose: str) -> dict[str, Any]:
    return {
        "id": new_id("file-"),
        "object": "file",
        "bytes": size,
        "created_at": int(time.time()),
        "filename": name,
        "purpose": purpose,
        "status": "processed",
    }
