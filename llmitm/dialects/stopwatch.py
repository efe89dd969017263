"""The durations that Ollama reports with every answer."""

from __future__ import annotations

import time

from llmitm.dialects.carry import Json


class Stopwatch:
    """Times one call from its making on. A provider elsewhere loads no model: that takes 0."""

    def __init__(self) -> None:
        self._started = time.monotonic_ns()
        self._first_token: int | None = None

    def token(self) -> None:
        """Note that output came; until the first of it, the prompt was being read."""
        self._first_token = self._first_token or time.monotonic_ns()

    def total(self) -> Json:
        """Nanoseconds of the call so far."""
        return self._until(time.monotonic_ns())

    def nanoseconds(self) -> Json:
        """Nanoseconds of a completion. One that came all at once says nothing of its prompt."""
        now = time.monotonic_ns()
        total = self._until(now)
        first = self._first_token
        if first is None:
            return {**total, "eval_duration": now - self._started}
        reading = {"prompt_eval_duration": first - self._started, "eval_duration": now - first}
        return {**total, **reading}

    def _until(self, now: int) -> Json:
        return {"total_duration": now - self._started, "load_duration": 0}
