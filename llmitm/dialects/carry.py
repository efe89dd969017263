"""Reading JSON that a stranger wrote.

Every pair of dialects shares these: strict for a client's request, whose author can be told what
is wrong with it, and lenient for a provider's answer, of which we keep what makes sense.
"""

from __future__ import annotations

from typing import Any

import msgspec

from llmitm.errors import Cause, GatewayError

type Json = dict[str, Any]

encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder().decode


def refuse(param: str, why: str) -> GatewayError:
    """The error for a request that the target's API has no words for; `param` is what to change."""
    return GatewayError(Cause.INVALID_REQUEST, f"{param}: {why}", param=param)


def invalid_answer(what: str) -> GatewayError:
    """The error for a provider's answer that can't be told in the client's dialect."""
    return GatewayError(Cause.INVALID_RESPONSE, f"The provider's answer {what}.")


def objects(value: object, param: str) -> list[Json]:
    """`value` as a list of objects; none for None. Raises GatewayError for anything else."""
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise refuse(param, "must be a list of objects")
    return value


def object_(value: object, param: str) -> Json:
    """`value` as an object; an empty one for None. Raises GatewayError for anything else."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise refuse(param, "must be an object")
    return value


def string(value: object, param: str) -> str:
    """`value` as a string. Raises GatewayError for anything else."""
    if not isinstance(value, str):
        raise refuse(param, "must be a string")
    return value


def number(value: object, param: str) -> float | None:
    """`value` as a number, None where it is null. Raises GatewayError for anything else."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise refuse(param, "must be a number")
    return value


def strings(value: object, param: str) -> list[str]:
    """One string or a list of them, as a list. Raises GatewayError for anything else."""
    listed = [value] if isinstance(value, str) else [] if value is None else value
    if not isinstance(listed, list) or not all(isinstance(item, str) for item in listed):
        raise refuse(param, "must be a string or a list of strings")
    return listed


def arguments(value: object, param: str) -> Json:
    """The object that a tool call's JSON text means; nothing at all means no arguments."""
    try:
        parsed = decode(string(value or "{}", param))
    except msgspec.DecodeError:
        parsed = None
    if not isinstance(parsed, dict):
        raise refuse(param, "must be the text of a JSON object")
    return parsed


def sub(value: Json, key: str) -> Json:
    """The object at `key`, or an empty one."""
    found = value.get(key)
    return found if isinstance(found, dict) else {}


def items(value: Json, key: str) -> list[Json]:
    """The objects in the list at `key`."""
    found = value.get(key)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def text(value: Json, key: str) -> str:
    """The string at `key`, or an empty one. Some servers send a list of text parts instead."""
    found = value.get(key)
    if isinstance(found, str):
        return found
    said = (part.get("text") for part in items(value, key)) if found else ()
    return "".join(part for part in said if isinstance(part, str))


def index(value: Json) -> int:
    """The position that `value` says it has, or 0."""
    found = value.get("index")
    return found if isinstance(found, int) else 0
