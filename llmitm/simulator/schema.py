"""A value that satisfies a simple JSON schema, for structured output and tool arguments.

Understood: types, enum, const, properties, items, anyOf/oneOf/allOf, local $ref, minItems,
string lengths, numeric bounds and the common string formats. Patterns are not.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from random import Random
from typing import Any

from llmitm.simulator.refusals import Refused, invalid
from llmitm.simulator.text import prose

type Schema = Mapping[str, Any]

_DEEP = 6  # below this only what is required is filled in, so that recursive schemas end
_DEEPEST = 40
_LONGEST = 1000  # items or letters, whatever a schema asks for
_FORMATS = {
    "date": "2026-01-02",
    "date-time": "2026-01-02T03:04:05Z",
    "time": "03:04:05Z",
    "duration": "PT1M",
    "email": "ava@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/",
    "uuid": "12345678-1234-4123-8123-123456789abc",
}


def example(schema: Schema, key: int) -> Any:
    """A value of `schema`; the same one for the same `key`. Raises Refused for what is none."""
    try:
        return _Example(schema, Random(key)).value(schema, 0)
    except (TypeError, ValueError, LookupError, AttributeError, OverflowError) as wrong:
        raise Refused(invalid(f"The JSON schema is not valid: {wrong}.", "schema")) from wrong


class _Example:
    def __init__(self, root: Schema, random: Random) -> None:
        self.root = root
        self.random = random

    def value(self, schema: Any, depth: int) -> Any:
        schema = self._plain(schema, depth)
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return self.random.choice(schema["enum"])
        match _type(schema):
            case "object":
                return self._object(schema, depth)
            case "array":
                return self._array(schema, depth)
            case "integer":
                return int(self._number(schema, whole=True))
            case "number":
                return self._number(schema, whole=False)
            case "boolean":
                return self.random.random() < 0.5
            case "null":
                return None
        return self._string(schema)

    def _plain(self, schema: Any, depth: int) -> Schema:
        """`schema` with references followed and alternatives decided."""
        for _ in range(_DEEPEST):
            if not isinstance(schema, Mapping) or depth > _DEEPEST:
                return {"type": "null"}
            if "$ref" in schema:
                schema = self._resolve(schema["$ref"])
            elif options := schema.get("anyOf") or schema.get("oneOf"):
                schema = _decide(options, depth)
            elif parts := schema.get("allOf"):
                rest = {name: part for name, part in schema.items() if name != "allOf"}
                schema = _merge([self._plain(part, depth) for part in parts] + [rest])
            else:
                return schema
        return {"type": "null"}

    def _resolve(self, reference: Any) -> Any:
        at: Any = self.root
        for name in str(reference).removeprefix("#").strip("/").split("/"):
            if name:
                at = at.get(name) if isinstance(at, Mapping) else None
        return at

    def _object(self, schema: Schema, depth: int) -> dict[str, Any]:
        properties: Schema = schema.get("properties") or {}
        required = schema.get("required") or ()
        return {
            name: self.value(part, depth + 1)
            for name, part in properties.items()
            if depth < _DEEP or name in required
        }

    def _array(self, schema: Schema, depth: int) -> list[Any]:
        wanted = schema.get("minItems", 0 if depth >= _DEEP else 1)
        length = min(wanted, schema.get("maxItems", wanted), _LONGEST)
        return [self.value(schema.get("items", {}), depth + 1) for _ in range(length)]

    def _number(self, schema: Schema, *, whole: bool) -> float:
        low, high = _bounds(schema)
        step = schema.get("multipleOf") or (1 if whole else None)
        if step is None:  # an eighth inside, so that exclusive bounds hold too
            return float(low + (high - low) * self.random.randint(1, 7) / 8)
        first, last = math.ceil(low / step), math.floor(high / step)
        first += first * step == schema.get("exclusiveMinimum")
        last -= last * step == schema.get("exclusiveMaximum")
        return float(self.random.randint(first, max(first, last)) * step)

    def _string(self, schema: Schema) -> str:
        if known := _FORMATS.get(schema.get("format", "")):
            return known
        # No word is shorter than three letters.
        words = max(2, min(schema.get("minLength", 0), _LONGEST) // 3 + 1)
        return "".join(prose(self.random.getrandbits(32), words))[: schema.get("maxLength")]


def _type(schema: Schema) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), "null")
    return str(kind or ("object" if "properties" in schema else "string"))


def _decide(options: list[Any], depth: int) -> Any:
    nulls = [option for option in options if option == {"type": "null"}]
    others = [option for option in options if option not in nulls]
    return nulls[0] if nulls and (depth >= _DEEP or not others) else others[0]


def _merge(parts: list[Schema]) -> Schema:
    merged: dict[str, Any] = {}
    for part in parts:
        properties = {**merged.get("properties", {}), **part.get("properties", {})}
        required = [*merged.get("required", ()), *part.get("required", ())]
        merged |= part
        if properties:
            merged |= {"properties": properties, "required": required}
    return merged


def _bounds(schema: Schema) -> tuple[float, float]:
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    if low is None:
        low = 1 if high is None or high > 1 else high - 100
    return low, low + 100 if high is None else high
