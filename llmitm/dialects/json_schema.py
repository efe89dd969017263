"""Fitting a JSON schema to what each API's structured output accepts.

OpenAI's strict mode wants closed objects with every property required; Anthropic's wants closed
objects and knows no bounds on numbers, lengths and counts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from llmitm.dialects.carry import Json, refuse

_UNBOUNDED: Final = (
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "maxItems",
    "uniqueItems",
    "minProperties",
    "maxProperties",
)
_MAPS: Final = ("properties", "$defs", "definitions")
_LISTS: Final = ("anyOf", "oneOf", "allOf", "prefixItems")


def for_anthropic(schema: Json, param: str) -> Json:
    """The schema with its objects closed, and with bounds told to the model in words.

    Raises GatewayError that names `param` for one that is nested too deeply to be read.
    """
    try:
        return _fitted(schema)
    except RecursionError:
        raise refuse(param, "is nested too deeply") from None


def is_strict(schema: Json) -> bool:
    """Whether OpenAI's strict mode accepts the schema: objects closed, all properties required."""
    try:
        return _strict(schema)
    except RecursionError:
        return False


def _fitted(schema: Json) -> Json:
    fitted = _each_below(schema, _fitted)
    if "properties" in fitted:
        fitted.setdefault("additionalProperties", False)
    bounds: Json = {key: fitted.pop(key) for key in _UNBOUNDED if key in fitted}
    if fitted.get("minItems") not in (None, 0, 1):
        bounds["minItems"] = fitted.pop("minItems")
    if bounds:
        words = ", ".join(f"{key}: {value}" for key, value in bounds.items())
        fitted["description"] = f"{fitted.get('description', '')} ({words})".strip()
    return fitted


def _strict(schema: Json) -> bool:
    verdicts: list[bool] = []

    def judge(below: Json) -> Json:
        verdicts.append(_strict(below))
        return below

    _each_below(schema, judge)
    return all(verdicts) and (schema.get("type") != "object" or _closed(schema))


def _closed(schema: Json) -> bool:
    properties, required = schema.get("properties", {}), schema.get("required", [])
    return (
        schema.get("additionalProperties") is False
        and isinstance(properties, dict)
        and isinstance(required, list)
        and all(name in required for name in properties)
    )


def _each_below(schema: Json, change: Callable[[Json], Json]) -> Json:
    """A copy of `schema` with `change` applied to the schemas directly inside it."""
    return {key: _below(key, value, change) for key, value in schema.items()}


def _below(key: str, value: Any, change: Callable[[Json], Json]) -> Any:
    if key in _MAPS and isinstance(value, dict):
        return {name: change(v) if isinstance(v, dict) else v for name, v in value.items()}
    if key in _LISTS and isinstance(value, list):
        return [change(v) if isinstance(v, dict) else v for v in value]
    if key in ("items", "additionalProperties", "not") and isinstance(value, dict):
        return change(value)
    return value
