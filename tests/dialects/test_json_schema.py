"""JSON schemas are fitted to what each API accepts."""

from __future__ import annotations

import pytest

from llmitm.dialects.json_schema import for_anthropic, is_strict
from llmitm.errors import GatewayError
from tests.dialects.streams import Json

INT: Json = {"type": "integer"}


def closed(**properties: Json) -> Json:
    return {
        "type": "object",
        "properties": properties,
        "required": [*properties],
        "additionalProperties": False,
    }


def test_objects_are_closed_wherever_they_are() -> None:
    """In properties, items, definitions and alternatives; one that says otherwise stays."""
    loose: Json = {"type": "object", "properties": {"n": INT}}
    shut = {**loose, "additionalProperties": False}
    schema: Json = {
        "$defs": {"a": loose},
        "type": "object",
        "properties": {
            "list": {"type": "array", "items": loose},
            "either": {"anyOf": [loose, INT]},
            "map": {"type": "object", "additionalProperties": loose},
            "open": {**loose, "additionalProperties": True},
        },
    }
    assert for_anthropic(schema, "p") == {
        "$defs": {"a": shut},
        "type": "object",
        "properties": {
            "list": {"type": "array", "items": shut},
            "either": {"anyOf": [shut, INT]},
            "map": {"type": "object", "additionalProperties": shut},
            "open": {**loose, "additionalProperties": True},
        },
        "additionalProperties": False,
    }


@pytest.mark.parametrize(
    ("schema", "fitted"),
    [
        ({**INT, "minimum": 1}, {**INT, "description": "(minimum: 1)"}),
        (
            {"type": "string", "description": "A name", "minLength": 1, "maxLength": 9},
            {"type": "string", "description": "A name (minLength: 1, maxLength: 9)"},
        ),
        (
            {"type": "array", "items": INT, "minItems": 2},
            {"type": "array", "items": INT, "description": "(minItems: 2)"},
        ),
        ({"type": "array", "items": INT, "minItems": 1},) * 2,
        ({"type": "string", "enum": ["maximum"], "pattern": "^a"},) * 2,
    ],
)
def test_bounds_are_told_in_words(schema: Json, fitted: Json) -> None:
    """A bound that Anthropic does not know becomes part of the description."""
    assert for_anthropic(schema, "p") == fitted


def test_a_property_may_be_called_like_a_keyword() -> None:
    """Names of properties are no keywords."""
    schema = closed(maximum=INT, properties=INT, items=INT)
    assert for_anthropic(schema, "p") == schema
    assert is_strict(schema)


def test_the_schema_of_the_client_stays_as_it_is() -> None:
    """Another target may need it unchanged."""
    schema: Json = {"type": "object", "properties": {"n": {**INT, "minimum": 1}}}
    for_anthropic(schema, "p")
    assert schema == {"type": "object", "properties": {"n": {**INT, "minimum": 1}}}


@pytest.mark.parametrize(
    ("schema", "strict"),
    [
        (INT, True),
        (closed(n=INT), True),
        (closed(), True),
        (closed(inner=closed(n=INT)), True),
        ({"type": "object", "properties": {"n": INT}}, False),
        ({**closed(n=INT), "required": []}, False),
        ({**closed(n=INT), "additionalProperties": True}, False),
        (closed(inner={"type": "object"}), False),
        (closed(many={"type": "array", "items": {"type": "object"}}), False),
        ({"anyOf": [closed(n=INT), {"type": "object"}]}, False),
    ],
)
def test_strict_schemas(schema: Json, *, strict: bool) -> None:
    """OpenAI's strict mode wants every object closed and every property required."""
    assert is_strict(schema) is strict


def test_nesting_without_end() -> None:
    """A schema too deep to read is refused, or not called strict; it does not bring us down."""
    schema: Json = INT
    for _ in range(5000):
        schema = {"type": "array", "items": schema}
    assert not is_strict(schema)
    with pytest.raises(GatewayError) as refusal:
        for_anthropic(schema, "response_format")
    assert refusal.value.param == "response_format"
