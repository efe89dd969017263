from __future__ import annotations

from typing import Any

import pytest
from pydantic import Field, ValidationError

from llmitm.config.model import Model, record_at, sections_of


class Leaf(Model):
    size: int = 1
    aliased: int = Field(default=1, alias="global")


class Tree(Model):
    leaf: Leaf = Leaf()
    maybe: Leaf | None = None
    many: tuple[Leaf, ...] = ()
    named: dict[str, Leaf] = Field(default_factory=dict)
    number: int | None = None


@pytest.mark.parametrize(
    ("where", "record"),
    [
        ((), Tree),
        (("leaf",), Leaf),
        (("maybe",), Leaf),
        (("many", 3), Leaf),
        (("named", "x"), Leaf),
        (("many",), None),
        (("number",), None),
        (("none", "x"), None),
        (("leaf", "size", "x"), None),
    ],
)
def test_finds_records(where: Any, record: Any) -> None:
    """The type of a record is found through optional ones, lists and mappings."""
    assert record_at(Tree, where) is record


def test_keys_are_those_of_yaml() -> None:
    """A field with another name in YAML is known by that one."""
    assert list(Leaf.yaml_keys()) == ["size", "global"]


def test_knows_where_a_key_belongs() -> None:
    """A key that other sections know is found there."""
    assert sections_of(Tree, "size") == ["leaf", "maybe"]
    assert sections_of(Tree, "other") == []


def test_is_frozen_and_strict_about_keys() -> None:
    """Records cannot be changed, and refuse keys they do not know, without repeating values."""
    with pytest.raises(ValidationError):
        Leaf().size = 2
    with pytest.raises(ValidationError) as caught:
        Leaf.model_validate({"siz": "canary"})
    assert "canary" not in str(caught.value)


def test_tells_what_was_given() -> None:
    """What was set differs from what was left to its default."""
    assert Tree(leaf=Leaf(size=2)).given() == {"leaf": {"size": 2}}
