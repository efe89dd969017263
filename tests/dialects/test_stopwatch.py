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


def test_answer_without_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was written, so all the time went into reading."""
    moments = iter([100, 150])
    monkeypatch.setattr(time, "monotonic_ns", lambda: next(moments))
    assert Stopwatch().nanoseconds()["prompt_eval_duration"] == 50
