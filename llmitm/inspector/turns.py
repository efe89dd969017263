"""A conversation as people read it: who said what, whatever the dialect.

The dialects nest the same things under different names, and each kind of content has a name of
its own, so one reader does for all of them. Nothing here raises on JSON of another shape.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

_encode = msgspec.json.Encoder().encode

Kind = Literal["text", "thinking", "call", "result", "media", "refusal"]

_TEXT = frozenset({"text", "input_text", "output_text", "summary_text", "reasoning_text"})
_CALLS = frozenset({"tool_use", "server_tool_use", "mcp_tool_use", "function_call", "mcp_call"})
_RESULTS = frozenset({"tool_result", "mcp_tool_result", "web_search_tool_result"})
_MEDIA = {
    "image_url": "image",
    "input_image": "image",
    "image": "image",
    "input_audio": "audio",
    "output_audio": "audio",
    "file": "file",
    "input_file": "file",
    "document": "document",
}


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece of a turn. `name` and `id` are those of a tool call or its result."""

    kind: Kind
    text: str = ""
    name: str = ""
    id: str = ""


@dataclass(frozen=True, slots=True)
class Turn:
    """What one side said at once."""

    role: str
    pieces: tuple[Piece, ...]


def turn(role: str, *contents: Any) -> Turn:
    return Turn(role, tuple(piece for content in contents for piece in pieces(content)))


def message(value: Mapping[str, Any]) -> Turn:
    """A message of any dialect, with its tool calls."""
    role = text(value.get("role")) or "assistant"
    name = text(value.get("name")) or text(value.get("tool_name"))
    found = [*_thinking(value)]
    if role == "tool":
        identity = text(value.get("tool_call_id"))
        found.append(Piece("result", flat(value.get("content")), name, identity))
        return Turn(role, tuple(found))
    found += pieces(value.get("content"))
    if refusal := text(value.get("refusal")):
        found.append(Piece("refusal", refusal))
    found += [_image(image) for image in _list(value.get("images"))]
    found += [_call(call) for call in _list(value.get("tool_calls")) if isinstance(call, dict)]
    if isinstance(value.get("function_call"), dict):
        found.append(_call(value))
    return Turn(f"{role} {name}" if name else role, tuple(found))


def pieces(content: Any) -> Iterator[Piece]:
    """The pieces of a content: a text, a part, or a list of either."""
    if isinstance(content, str):
        if content:
            yield Piece("text", content)
    elif isinstance(content, list):
        for part in content:
            yield from pieces(part)
    elif isinstance(content, dict):
        yield from _part(content)


def flat(content: Any) -> str:
    """A content as one text: what a tool gave back, or JSON where it is structured."""
    if isinstance(content, dict) and "type" not in content:
        return as_json(content)
    return "\n".join(piece.text or f"[{piece.kind}]" for piece in pieces(content))


def text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def as_json(value: Any) -> str:
    """Structured values as JSON; a text that is JSON already stays as it is."""
    if isinstance(value, str):
        return value
    try:
        return _encode(value).decode()
    except (TypeError, ValueError, RecursionError):
        return repr(value)


def _part(part: dict[str, Any]) -> Iterator[Piece]:
    kind = text(part.get("type"))
    if kind in _TEXT or not kind:
        yield Piece("text", text(part.get("text")) or flat(part.get("content")))
    elif kind in ("thinking", "reasoning"):
        yield from _thinking(part)
    elif kind in _CALLS:
        yield _call(part)
    elif kind in _RESULTS or kind.endswith("_output"):
        body = part.get("content", part.get("output"))
        identity = text(part.get("tool_use_id")) or text(part.get("call_id"))
        yield Piece("result", flat(body), id=identity)
    elif kind == "refusal":
        yield Piece("refusal", text(part.get("refusal")))
    elif kind == "message":
        yield from pieces(part.get("content"))
    else:
        yield Piece("media", _media(kind, part))


def _thinking(value: Mapping[str, Any]) -> Iterator[Piece]:
    for name in ("thinking", "reasoning_content", "reasoning", "summary"):
        thought = value.get(name)
        said = thought if isinstance(thought, str) else flat(thought) if thought else ""
        if said:
            yield Piece("thinking", said)


def _call(call: Mapping[str, Any]) -> Piece:
    inner = call.get("function") or call.get("function_call") or call
    inner = inner if isinstance(inner, dict) else call
    arguments = inner.get("arguments", inner.get("input"))
    identity = text(call.get("call_id")) or text(call.get("id"))
    return Piece(
        "call", as_json({} if arguments is None else arguments), text(inner.get("name")), identity
    )


def _media(kind: str, part: Mapping[str, Any]) -> str:
    """What a part of media is, and how large, without its data."""
    label = _MEDIA.get(kind, kind)
    holder = (
        part.get("source") or part.get("image_url") or part.get("input_audio") or part.get("file")
    )
    if isinstance(holder, str):
        return f"{label}: {_address(holder)}"
    if not isinstance(holder, dict):
        return label
    if isinstance(url := holder.get("url"), str):
        return f"{label}: {_address(url)}"
    kind_of = (
        text(holder.get("media_type")) or text(holder.get("format")) or text(holder.get("filename"))
    )
    data = text(holder.get("data")) or text(holder.get("file_data"))
    return f"{label}: {kind_of}{_size(data)}".rstrip(": ")


def _address(url: str) -> str:
    """A URL, or what a data URL holds."""
    if not url.startswith("data:"):
        return url
    head, _, data = url.partition(",")
    return f"{head.removeprefix('data:').partition(';')[0]}{_size(data)}"


def _size(data: str) -> str:
    return f", {len(data) * 3 // 4:,} bytes" if data else ""


def _image(image: Any) -> Piece:
    return Piece("media", f"image{_size(text(image))}")


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
