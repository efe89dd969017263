from __future__ import annotations

from decimal import Decimal

import pytest

from llmitm.config.source import read
from llmitm.config.values import Number
from tests.config.configuration import Configuration, Parse


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("off", "off"),
        ("no", "no"),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("12", 12),
        ("-3", -3),
        ("100_000", 100000),
        ("0x1F", 31),
        ("0o17", 15),
        ("007", "007"),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("1_0.5", 10.5),
        (".inf", ".inf"),
        ("2027-01-01", "2027-01-01"),
        ("12:30", "12:30"),
        ('"12"', "12"),
        ("'true'", "true"),
        ("!!str 12", "12"),
        ("gpt-4o", "gpt-4o"),
        ("1.2.3", "1.2.3"),
    ],
)
def test_reads_plain_types(parse: Parse, written: str, value: bool | float | str | None) -> None:
    """Scalars have the types of YAML 1.2: `off`, `no`, dates and times stay text."""
    found = parse(f"x: {written}").get("x")
    assert found == value
    assert isinstance(found, bool) == isinstance(value, bool)


def test_numbers_keep_their_text(parse: Parse) -> None:
    """A number remembers how it was written."""
    number = parse("x: 0.10").get("x")
    assert isinstance(number, Number)
    assert Decimal(number.text) == Decimal("0.10")


def test_knows_lines(parse: Parse) -> None:
    """Each value has the line of its key, each item its own line."""
    document = parse("# comment\na:\n  b: 1\n  c:\n    - x\n    - {d: 2,\n       e: 3}\n")
    wheres = [("a",), ("a", "b"), ("a", "c"), ("a", "c", 1), ("a", "c", 1, "d"), ("a", "c", 1, "e")]
    assert [document.place(where).line for where in wheres] == [2, 3, 4, 6, 6, 7]


def test_expands_references(parse: Parse, empty: Configuration) -> None:
    """References are expanded in texts, quoted or not, and not in keys."""
    document = parse('a: ${DEV_KEY}\nb: "x-${DEV_KEY}"\n${DEV_KEY}: c\n')
    assert document.value == {"a": "dev-canary", "b": "x-dev-canary", "${DEV_KEY}": "c"}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: 1\nb: [\n", "some.yaml:3: not valid YAML: while parsing a flow node"),
        ("a: 1\n\tb: 2\n", "some.yaml:2: not valid YAML"),
        ("a: b: c\n", "some.yaml:1: not valid YAML: mapping values are not allowed"),
        ("a: 1\n---\nb: 2\n", "some.yaml:2: not valid YAML: expected a single document"),
        ("a: *x\n", "some.yaml:1: not valid YAML: found undefined alias"),
        ("a: \x07\n", "some.yaml: not valid YAML: control characters are not allowed"),
        ("a: 1\na: 2\n", "some.yaml:2: a: is already given on line 1"),
        ("a: !secret x\n", "some.yaml:1: a: the tag !secret is unknown here"),
        ("? [a, b]\n: 1\n", "some.yaml:1: has a key that is no plain text"),
        ("a: &a\n  b: *a\n", "some.yaml:2: a.b: contains itself"),
        ("a: ${NONE}\n", "some.yaml:1: a: the environment variable NONE is not set"),
        ("\n \n", "some.yaml:1: is empty"),
    ],
)
def test_says_what_cannot_be_read(parse: Parse, text: str, problem: str) -> None:
    """What is no YAML, or no configuration, is one problem with its line."""
    (found,) = parse(text).problems
    assert str(found).startswith(problem)


def test_aliases_are_values(parse: Parse) -> None:
    """An anchor's value can be used again."""
    document = parse("a: &x {k: [1]}\nb: *x\n")
    assert document.value["b"] == {"k": [1]}
    assert document.problems == []


def test_comments_alone_are_an_empty_mapping(parse: Parse) -> None:
    """A file may be nothing but comments."""
    document = parse("# nothing yet\n")
    assert (document.value, document.problems) == ({}, [])


def test_missing_file(empty: Configuration) -> None:
    """A file that is not there is a problem, not an exception."""
    (problem,) = read(empty.directory / "none.yaml", {}).problems
    assert str(problem) == "none.yaml: no such file; create it, or name another one"


@pytest.mark.parametrize(
    ("content", "reason"), [(b"\xff\x00", "it is not UTF-8"), (None, "Is a directory")]
)
def test_unreadable_file(empty: Configuration, content: bytes | None, reason: str) -> None:
    """A file that cannot be read says why."""
    path = empty.directory / "some.yaml"
    path.mkdir() if content is None else path.write_bytes(content)
    (problem,) = read(path, {}).problems
    assert str(problem) == f"some.yaml: cannot be read: {reason}"
