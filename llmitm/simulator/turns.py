"""A conversation in the one form that every dialect's messages come down to.

The same conversation gives the same turns in each dialect: system messages first, neighbours
of one role joined, tool results a turn of their own, pictures named by their content.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from itertools import groupby
from typing import Any

import msgspec

from llmitm.simulator.refusals import Refused, invalid
from llmitm.simulator.text import Turn

_ROLES = {"developer": "system", "function": "tool"}
_PICTURES = {"image", "image_url", "input_image"}
_canonical = msgspec.json.Encoder(order="sorted").encode


def turns_of(messages: Iterable[Any], system: Any = None) -> tuple[Turn, ...]:
    """The turns of `messages`. Raises Refused where they are not messages of a known dialect."""
    flat = [("system", _text(system))] if system else []
    for message in messages:
        flat.extend(_message(message))
    flat.sort(key=lambda turn: turn[0] != "system")
    return tuple(
        (role, "\n".join(text for _, text in group))
        for role, group in groupby(flat, key=lambda turn: turn[0])
    )


def split_prefill(messages: Sequence[Any]) -> tuple[Sequence[Any], str | None]:
    """The messages before a trailing assistant text, and that text; None where there is none."""
    last = messages[-1] if messages else None
    if not isinstance(last, Mapping) or last.get("role") != "assistant" or last.get("tool_calls"):
        return messages, None
    return messages[:-1], _text(last.get("content"))


def _message(message: Any) -> Iterator[Turn]:
    match message:
        case {"type": "function_call_output", "output": output}:
            yield "tool", _text(output)
        case {"type": "function_call", "name": name}:
            yield "assistant", _call(name, message.get("arguments"))
        case {"role": str(role)}:
            yield from _spoken(_ROLES.get(role, role), message)
        case {"type": kind}:
            yield "other", f"[{kind}]"
        case _:
            raise Refused(invalid("Each message must be an object with a role.", "messages"))


def _spoken(role: str, message: Mapping[str, Any]) -> Iterator[Turn]:
    content = message.get("content")
    blocks = content if isinstance(content, list) else [content]
    results: list[Any] = [block for block in blocks if _is_result(block)]
    for result in results:
        yield "tool", _text(result.get("content"))
    parts = [_text([block for block in blocks if not _is_result(block)])]
    parts += map(_picture, _listed(message, "images"))
    parts += map(_call_of, _listed(message, "tool_calls"))
    text = "\n".join(filter(None, parts))
    if text or not results:
        yield role, text


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    if content is None:
        return ""
    if isinstance(content, list):
        return "\n".join(filter(None, map(_block, content)))
    raise Refused(invalid("Message content must be text or a list of parts.", "messages"))


def _listed(message: Mapping[str, Any], field: str) -> list[Any]:
    value = message.get(field) or []
    if not isinstance(value, list):
        raise Refused(invalid(f"'{field}' must be a list.", "messages"))
    return value


def _block(block: Any) -> str:
    match block:
        case None:
            return ""
        case str():
            return block
        case {"text": str(text)}:
            return text
        case {"type": "tool_use", "name": name}:
            return _call(name, block.get("input"))
        case {"type": str(kind)} if kind in _PICTURES:
            return _picture(_picture_data(block))
        case {"type": kind}:
            return f"[{kind} {_name(_canonical(block))}]"
    raise Refused(invalid("Each content part must be an object with a type.", "messages"))


def _is_result(block: Any) -> bool:
    return isinstance(block, Mapping) and block.get("type") == "tool_result"


def _picture_data(block: Mapping[str, Any]) -> Any:
    source = block.get("image_url") or block.get("source")
    if isinstance(source, Mapping):
        return source.get("url") or source.get("data")
    return source


def _picture(data: Any) -> str:
    return f"[image {_name(str(data).rpartition('base64,')[2].encode(errors='replace'))}]"


def _name(data: bytes) -> str:
    return blake2b(data, digest_size=4).hexdigest()


def _call_of(call: Any) -> str:
    function = call.get("function") if isinstance(call, Mapping) else None
    if not isinstance(function, Mapping):
        raise Refused(invalid("Each tool call must have a function.", "messages"))
    return _call(function.get("name"), function.get("arguments"))


def _call(name: Any, arguments: Any) -> str:
    if isinstance(arguments, str):
        try:
            arguments = msgspec.json.decode(arguments)
        except msgspec.DecodeError:
            return f"{name}({arguments})"
    return f"{name}({_canonical(arguments).decode()})"
