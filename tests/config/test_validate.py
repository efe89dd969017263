from __future__ import annotations

from typing import Annotated, Literal

import pytest
from pydantic import Field

from llmitm.config.model import Model
from llmitm.config.validate import validate
from llmitm.config.values import Money, Name
from tests.config.configuration import Parse


class Inner(Model):
    depth: int = 1
    kind: Literal["a", "b"] = "a"


class Sample(Model):
    text: str = ""
    count: Annotated[int, Field(ge=1, le=9)] = 1
    share: Annotated[float, Field(gt=0)] = 1
    flag: bool = False
    inner: Inner = Inner()
    items: tuple[Inner, ...] = Field(default=(Inner(),), min_length=1)
    named: dict[Name, Inner] = Field(default_factory=dict)
    usd: Money | None = None


@pytest.mark.parametrize(
    ("yaml", "problem"),
    [
        ("text: 12", "text: must be text, not 12; put it in quotes"),
        ("count: x", "count: must be a whole number, not 'x'"),
        ("count: 1.5", "count: must be a whole number, not 1.5"),
        ("count: null", "count: must be a whole number, not null"),
        ("count: 0", "count: must be at least 1, not 0"),
        ("count: 10", "count: must be at most 9, not 10"),
        ("share: x", "share: must be a number, not 'x'"),
        ("share: 0", "share: must be above 0, not 0"),
        ("share: .nan", "share: must be a number, not '.nan'"),
        ("flag: maybe", "flag: must be true or false, not 'maybe'"),
        ("inner: x", "inner: must be a mapping; write key: value"),
        ("inner: {depht: 2}", "inner.depht: unknown key; did you mean depth?"),
        ("depth: 2", "depth: unknown key; it belongs under inner"),
        ("inner: {kind: c}", "inner.kind: must be 'a' or 'b', not 'c'"),
        ("items: {}", "items: must be a list"),
        ("items: []", "items: must not be empty"),
        ("items: [{}, {depth: x}]", "items[1].depth: must be a whole number, not 'x'"),
        ("named: []", "named: must be a mapping"),
        ("named: {a: {depth: x}}", "named.a.depth: must be a whole number, not 'x'"),
        ("named: {a/b: {}}", "named.a/b: 'a/b' cannot be a name; use letters, digits"),
        ("usd: -1", "usd: must be at least 0, not -1"),
        ("usd: free", "usd: must be a number, not 'free'"),
        ("- 1", "must be a mapping; write key: value"),
        ("count: ${DEV_KEY}", "count: must be a whole number, not '${DEV_KEY}'"),
        (
            'named: {"a": {depth: "${DEV_KEY}"}}',
            "named.a.depth: must be a whole number, not '${DEV",
        ),
    ],
)
def test_says_what_a_value_must_be(parse: Parse, yaml: str, problem: str) -> None:
    """A fault is one message with its line, in the words of YAML, without expanded references."""
    document = parse(yaml)

    assert validate(Sample, document) is None

    (found,) = map(str, document.problems)
    shown = found.removeprefix("some.yaml:1: ")
    assert shown.startswith(problem)
    assert "canary" not in found


def test_finds_all(parse: Parse) -> None:
    """Every fault of a document is found at once."""
    document = parse("text: 1\ncount: x\ninner: {kind: c, x: 1}\n")
    validate(Sample, document)
    assert [problem.line for problem in document.problems] == [1, 2, 3, 3]


def test_gives_the_record(parse: Parse) -> None:
    """A document without a fault becomes its record."""
    document = parse("count: 3\nusd: 0.10\n")
    record = validate(Sample, document)
    assert record is not None
    assert (record.count, str(record.usd)) == (3, "0.10")


def test_unreadable_documents_stay_at_one_problem(parse: Parse) -> None:
    """A file that is no YAML is not validated on top."""
    document = parse("a: [")
    assert validate(Sample, document) is None
    assert len(document.problems) == 1
