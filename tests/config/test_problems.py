from __future__ import annotations

from typing import Any

import pytest

from llmitm.config.problems import ConfigErrors, Problem, in_order, is_near, suggestion
from llmitm.config.values import Text


@pytest.mark.parametrize(
    ("problem", "text"),
    [
        (
            Problem("config/gateway.yaml", 12, "a.b", "unknown key", "did you mean c?"),
            "config/gateway.yaml:12: a.b: unknown key; did you mean c?",
        ),
        (Problem("keys.yaml", None, "", "no such file"), "keys.yaml: no such file"),
        (Problem("environment", None, "PORT", "is wrong"), "environment: PORT: is wrong"),
    ],
)
def test_prints_on_one_line(problem: Any, text: str) -> None:
    """A problem is file, line, path, message and remedy, as far as they are known."""
    assert str(problem) == text


def test_orders_by_file_and_line() -> None:
    """Problems come by file and line, each once."""
    a, b, c = (Problem(f, n, "", "m") for f, n in (("a", None), ("a", 9), ("b", 1)))
    assert in_order([c, b, a, b]) == (a, b, c)
    assert str(ConfigErrors([c, a])) == "a: m\nb:1: m"


@pytest.mark.parametrize(
    ("name", "known", "remedy"),
    [
        ("base_ur", ["api", "base_url"], "did you mean base_url?"),
        ("x", ["api", "base_url"], "known keys: api, base_url"),
        ("x", [], "no keys are defined"),
        ("x", [Text.of("secret", "${NAME}")], "known keys: ${NAME}"),
        ("x", [f"name{n}" for n in range(13)], f"{', '.join(f'name{n}' for n in range(12))}, …"),
    ],
)
def test_suggests(name: str, known: Any, remedy: str) -> None:
    """An unknown name gets the nearest one, or a list that stays short."""
    assert suggestion(name, known, "keys").endswith(remedy)


@pytest.mark.parametrize(
    ("name", "near"), [("local-smal", True), ("local-small", True), ("sales", False), ("", False)]
)
def test_is_near(name: str, near: bool) -> None:
    """A name that is nearly another is a misspelling of it."""
    assert is_near(name, ["gpt-4o", "local-small"]) is near
