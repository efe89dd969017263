"""Examples of JSON schemas."""

from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmitm.simulator.schema import example

NODE = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "next": {"$ref": "#/$defs/Node"}},
    "required": ["name"],
}
SCHEMAS: list[dict[str, Any]] = [
    {"type": "string", "minLength": 30, "maxLength": 40},
    {"type": "string", "maxLength": 4},
    {"type": "string", "enum": ["red", "green"]},
    {"type": "string", "format": "date-time"},
    {"const": 7},
    {"type": ["string", "null"]},
    {"type": "integer", "minimum": 3, "maximum": 3},
    {"type": "integer", "exclusiveMinimum": 3, "exclusiveMaximum": 5},
    {"type": "integer", "maximum": -5},
    {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 0.01},
    {"type": "number", "multipleOf": 0.5, "minimum": 1, "maximum": 2},
    {"type": "array", "items": {"type": "boolean"}, "minItems": 3},
    {"type": "array", "items": {"type": "integer"}, "maxItems": 0},
    {"anyOf": [{"type": "null"}, {"type": "integer"}]},
    {
        "$defs": {"Node": NODE},
        "allOf": [NODE, {"properties": {"size": {"type": "integer"}}, "required": ["size"]}],
    },
    {"$defs": {"Node": NODE}, "$ref": "#/$defs/Node"},
    {
        "type": "object",
        "properties": {
            "kind": {"enum": ["a", "b"]},
            "inner": {"type": "object", "properties": {"on": {"type": "boolean"}}},
        },
        "required": ["kind", "inner"],
        "additionalProperties": False,
    },
]


@pytest.mark.parametrize("schema", SCHEMAS, ids=str)
@settings(deadline=None)
@given(key=st.integers(0, 2**64 - 1))
def test_example_satisfies_its_schema(schema: dict[str, Any], key: int) -> None:
    """The value is valid, and the same key gives the same one."""
    value = example(schema, key)
    jsonschema.validate(value, schema)
    assert value == example(schema, key)


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"$ref": "#/nowhere"},
        {"type": "object", "properties": {"again": {"$ref": "#"}}, "required": ["again"]},
    ],
    ids=str,
)
def test_endless_schemas_end(schema: dict[str, Any]) -> None:
    """A schema that nothing can satisfy gives some value all the same."""
    example(schema, 1)
