"""Reading Chat Completions chunks, for whatever dialect they are being translated to."""

from __future__ import annotations

from abc import abstractmethod

from llmitm.dialects.carry import Json, items, sub, text
from llmitm.dialects.faults import error_message
from llmitm.dialects.translation import SseTranslation


class ChunkTranslation(SseTranslation):
    """A stream of Chat Completions chunks being translated.

    Its finish reason ends it, with or without ``[DONE]`` after; without one it was cut off.
    """

    def __init__(self) -> None:
        super().__init__()
        self._finish = ""
        self._usage: Json = {}

    def _payload(self, payload: Json) -> bytes:
        choices = items(payload, "choices")
        usage = sub(payload, "usage")
        if not choices and not usage and error_message("openai", payload)[0]:
            return self._fail(payload)  # an error in another shape than OpenAI's
        self._usage = usage or self._usage
        out = b""
        for choice in choices[:1]:
            out += self._choice(payload, choice)
            self._finish = text(choice, "finish_reason") or self._finish
        return out

    def _close(self) -> bytes:
        return self._finished() if self._finish else b""

    @abstractmethod
    def _choice(self, payload: Json, choice: Json) -> bytes:
        """What the choice of one chunk becomes."""

    @abstractmethod
    def _finished(self) -> bytes:
        """The end of a complete stream."""
