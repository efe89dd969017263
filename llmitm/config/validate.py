"""Documents checked against their schema; pydantic's errors said in the words of the file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from llmitm.config.document import Document, Where
from llmitm.config.model import Model, record_at, sections_of
from llmitm.config.problems import Fault, suggestion
from llmitm.config.values import shown

_MESSAGES = {
    "missing": "required key is missing",
    "extra_forbidden": "unknown key",
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "model_type": "must be a mapping",
    "dict_type": "must be a mapping",
    "tuple_type": "must be a list",
    "literal_error": "must be {expected}",
    "greater_than": "must be above {gt:g}",
    "greater_than_equal": "must be at least {ge:g}",
    "less_than_equal": "must be at most {le:g}",
    "too_short": "must not be empty",
    "string_too_short": "must not be empty",
}
_REMEDIES = {"string_type": "put it in quotes", "model_type": "write key: value"}

# Kinds whose value helps and is no secret: credentials are never numbers or keywords.
_ECHOED = ("int_", "float_", "bool_", "literal_", "greater_", "less_", "string_type")


def validate[M: Model](model: type[M], document: Document) -> M | None:
    """The record of a document, or None where problems were added to it."""
    if () in document.failed:
        return None
    try:
        return model.model_validate(document.value, context=document)
    except ValidationError as error:
        for details in error.errors(include_url=False, include_input=False):
            _report(model, document, details)
        return None


def _report(model: type[Model], document: Document, details: ErrorDetails) -> None:
    where = _where(document, details["loc"], details["type"])
    context = details.get("ctx", {})
    fault = context.get("error")
    value = document.get(*where)
    if isinstance(fault, Fault):
        document.report(where, fault.message, fault.remedy)
        return
    kind = details["type"]
    message = _MESSAGES[kind].format_map(_numbers(context)) if kind in _MESSAGES else details["msg"]
    if kind.startswith(_ECHOED):
        message += f", not {shown(value)}"
    unknown = kind == "extra_forbidden"
    document.report(where, message, _known(model, where) if unknown else _REMEDIES.get(kind, ""))


def _where(document: Document, loc: Sequence[str | int], kind: str) -> Where:
    """The place in the document: `loc` without the steps that only pydantic sees."""
    where: Where = ()
    nothing = object()
    for step in loc:
        if document.get(*where, step, default=nothing) is not nothing:
            where = (*where, step)
    return (*where, loc[-1]) if kind == "missing" else where


def _known(model: type[Model], where: Where) -> str:
    """The key that was meant, or the section that it belongs to."""
    key, record = str(where[-1]), record_at(model, where[:-1])
    sections = sections_of(record, key) if record else []
    if sections:
        return f"it belongs under {' or '.join(sections)}"
    return suggestion(key, record.yaml_keys() if record else (), "keys")


def _numbers(context: dict[str, Any]) -> dict[str, Any]:
    return {k: float(v) if k in ("gt", "ge", "le") else v for k, v in context.items()}
