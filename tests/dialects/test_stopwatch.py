"""Durations add up as Ollama's do."""

from __future__ import annotations

import time

import pytest

from llmitm.dialects.stopwatch import Stopwatch


def test_durations(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until the first token the prompt was read; from then on the answer was written."""
    moments = iter([100, 130, 190])
    monkeypatch.setattr(time, "monotonic_ns", lambda: next(moments))
    watch = Stopwatch()
    watch.token()
    watch.token()
    assert watch.nanoseconds() == {
        "total_duration": 90,
        "load_duration": 0,
        "prompt_eval_duration": 30,
        "eval_duration": 60,
    }


def test_answer_that_came_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody knows when the prompt was read, so no duration is made up for it."""
    moments = iter([100, 150])
    monkeypatch.setattr(time, "monotonic_ns", lambda: next(moments))
    assert Stopwatch().nanoseconds() == {
        "total_duration": 50,
        "load_duration": 0,
        "eval_duration": 50,
    }
