"""Reading the fields of a client's JSON, with an error that names the field."""

from __future__ import annotations

from llmitm.dialects.carry import number, refuse, string
from llmitm.seeds.endpoint import Json

_HOTTEST = 2


def words(body: Json, name: str) -> str:
    """A text that must be there. Raises GatewayError, as all of these do."""
    text = string(body.get(name), name)
    if not text.strip():
        raise refuse(name, "must not be empty")
    return text


def optional_words(body: Json, name: str) -> str | None:
    return None if body.get(name) is None else words(body, name)


def max_tokens(body: Json, name: str = "max_tokens") -> int | None:
    """A bound for the answer: a positive whole number."""
    value = number(body.get(name), name)
    if value is None:
        return None
    if value < 1 or value != int(value):
        raise refuse(name, "must be a positive whole number")
    return int(value)


def temperature(body: Json, name: str = "temperature") -> float | None:
    value = number(body.get(name), name)
    if value is not None and not 0 <= value <= _HOTTEST:
        raise refuse(name, f"must be between 0 and {_HOTTEST}")
    return value


def chat(prompt: str, system: str | None = None, **params: object) -> Json:
    """A Chat Completions request; parameters that are None are left out."""
    said = [{"role": "system", "content": system}] if system else []
    given = {name: value for name, value in params.items() if value is not None}
    return {"messages": [*said, {"role": "user", "content": prompt}], **given}
