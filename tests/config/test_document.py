from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from llmitm.config.document import Document, Place, display, dotted


def sample() -> Document:
    document = Document("some.yaml", Path())
    document.value = {"a": {"b": [1, {"c": 2}]}, "none": None}
    document.places = {(): Place("some.yaml", 1), ("a",): Place("some.yaml", 2)}
    document.places[("a", "b", 1)] = Place("some.yaml", 5)
    return document


@pytest.mark.parametrize(
    ("where", "value"),
    [
        (("a", "b", 1, "c"), 2),
        (("a", "b", 2), "default"),
        (("a", "x"), "default"),
        (("none", "x"), "default"),
        (("none",), None),
        (("a", "b", "c"), "default"),
    ],
)
def test_finds_values(where: Any, value: int | str | None) -> None:
    """A value is found by its place; whatever is in the way gives the default."""
    assert sample().get(*where, default="default") == value


@pytest.mark.parametrize(
    ("where", "line"), [(("a", "b", 1, "c"), 5), (("a", "b", 0), 2), (("z",), 1), ((), 1)]
)
def test_finds_lines(where: Any, line: int) -> None:
    """A value without a line of its own has that of what encloses it."""
    assert sample().place(where).line == line


def test_lists_items() -> None:
    """The items of a list or mapping come with their places; anything else has none."""
    document = sample()
    assert [where for where, _ in document.each("a", "b")] == [("a", "b", 0), ("a", "b", 1)]
    assert [where for where, _ in document.each()] == [("a",), ("none",)]
    assert list(document.each("none")) == []


def test_puts_values_from_elsewhere() -> None:
    """A value that is put makes its way, and its problems name where it came from."""
    document = sample()
    document.put(("none", "x"), 3, Place("environment", None, "VARIABLE"))
    document.put(("a", "b", "c"), 3, Place("environment", None, "VARIABLE"))
    document.report(("none", "x"), "is wrong")
    assert document.get("none", "x") == 3
    assert document.get("a", "b") == [1, {"c": 2}]
    assert [str(problem) for problem in document.problems] == ["environment: VARIABLE: is wrong"]


def test_first_problem_at_a_place_counts() -> None:
    """What follows from a problem at the same place is not said."""
    document = sample()
    document.report(("a",), "first")
    document.report(("a",), "second")
    document.report(("a", "b"), "inside")
    assert [problem.message for problem in document.problems] == ["first", "inside"]


def test_points_to_other_places() -> None:
    """A message can point to a line, or to what is no file."""
    document = sample()
    document.put(("x",), 1, Place("environment"))
    document.put(("y",), 1, Place("environment", None, "PORT"))
    places = [document.line((key,)) for key in ("a", "x", "y")]
    assert places == ["on line 2", "in environment", "(PORT)"]


def test_paths_read_as_in_yaml() -> None:
    """A place is shown dotted, with indexes in brackets."""
    assert dotted(("keys", 0, "budgets", 1, "usd")) == "keys[0].budgets[1].usd"
    assert dotted(()) == ""


def test_shows_paths_from_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files below the working directory are relative, others absolute and without detours."""
    monkeypatch.chdir(tmp_path)
    assert display(tmp_path / "config" / ".." / "policies") == "policies"
    assert display(tmp_path / ".." / "x") == str(tmp_path.parent / "x")
