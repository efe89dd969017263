"""An Anthropic conversation as a Chat Completions one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from llmitm.dialects.carry import Json, encode, object_, objects, refuse, string, sub


def conversation(system: object, messages: object) -> list[Json]:
    """The messages of both, system prompt first.

    OpenAI has a message of its own for each tool result, and no thinking in its history. Raises
    GatewayError for content that it can't take.
    """
    said: list[Json] = []
    prompt = _plain(system, "system")
    if prompt:
        said.append({"role": "system", "content": prompt})
    for i, message in enumerate(objects(messages, "messages")):
        where = f"messages[{i}]"
        blocks = _blocks(message.get("content"), f"{where}.content")
        match message.get("role"):
            case "user":
                said += _user(blocks, where)
            case "assistant":
                said += _assistant(blocks, where)
            case "system":
                said.append({"role": "system", "content": _plain(blocks, where)})
            case role:
                raise refuse(f"{where}.role", f"no role of an Anthropic message: {role!r}")
    return said


def _blocks(content: object, where: str) -> list[Json]:
    return (
        [{"type": "text", "text": content}] if isinstance(content, str) else objects(content, where)
    )


def _plain(content: object, where: str) -> str:
    """The text of blocks that can be nothing but text."""
    blocks = _blocks(content, where)
    if any(block.get("type") != "text" for block in blocks):
        raise refuse(where, "can only be text")
    return "\n".join(string(block.get("text"), where) for block in blocks)


def _user(blocks: list[Json], where: str) -> Iterator[Json]:
    """Tool results first, as they must follow the calls; then what the user says and shows."""
    parts: list[Json] = []
    for j, block in enumerate(blocks):
        at = f"{where}.content[{j}]"
        if block.get("type") == "tool_result":
            message, shown = _tool_result(block, at)
            yield message
            parts += shown
        else:
            parts += _part(block, at)
    if parts:
        yield {"role": "user", "content": compact(parts)}


def compact(parts: list[Json]) -> str | list[Json]:
    """Plain text as a string, which every OpenAI-compatible server takes."""
    if len(parts) == 1 and parts[0]["type"] == "text":
        return string(parts[0]["text"], "text")
    return parts


def _tool_result(block: Json, where: str) -> tuple[Json, list[Json]]:
    """The tool message, and the pictures in it, which only a user's message can show."""
    found = _blocks(block.get("content"), f"{where}.content")
    parts = [part for j, b in enumerate(found) for part in _part(b, f"{where}.content[{j}]")]
    said = "\n".join(part["text"] for part in parts if part["type"] == "text")
    content = f"Error: {said}" if block.get("is_error") is True else said
    call_id = string(block.get("tool_use_id"), f"{where}.tool_use_id")
    message = {"role": "tool", "tool_call_id": call_id, "content": content}
    return message, [part for part in parts if part["type"] != "text"]


def _assistant(blocks: list[Json], where: str) -> Iterator[Json]:
    said, calls = [], []
    for j, block in enumerate(blocks):
        at = f"{where}.content[{j}]"
        match block.get("type"):
            case "text":
                said.append(string(block.get("text"), f"{at}.text"))
            case "tool_use":
                calls.append(_tool_call(block, at))
            case "thinking" | "redacted_thinking":
                pass  # signed by a Claude model, and of use to no other
            case kind:
                raise refuse(at, f"{kind!r} cannot be sent to an OpenAI model")
    message: Json = {"role": "assistant", "content": "".join(said) or None}
    if calls:
        message["tool_calls"] = calls
    if said or calls:
        yield message


def _tool_call(block: Json, where: str) -> Json:
    name = string(block.get("name"), f"{where}.name")
    given = encode(object_(block.get("input"), f"{where}.input")).decode()
    return {
        "id": string(block.get("id"), f"{where}.id"),
        "type": "function",
        "function": {"name": name, "arguments": given},
    }


def _part(block: Json, where: str) -> list[Json]:
    read = _PARTS.get(str(block.get("type")))
    if read is None:
        raise refuse(where, f"{block.get('type')!r} cannot be sent to an OpenAI model")
    return read(block, where)


def _shown(block: Json, where: str) -> list[Json]:
    """What a document may be made of."""
    match block.get("type"):
        case "text":
            return _text(block, where)
        case "image":
            return _image(block, where)
        case kind:
            raise refuse(where, f"{kind!r} cannot be part of a document")


def _text(block: Json, where: str) -> list[Json]:
    said = string(block.get("text"), f"{where}.text")
    return [{"type": "text", "text": said}] if said else []


def _image(block: Json, where: str) -> list[Json]:
    source = sub(block, "source")
    match source.get("type"):
        case "base64":
            url = _data_url(source, where)
        case "url":
            url = string(source.get("url"), f"{where}.source.url")
        case kind:
            raise refuse(f"{where}.source", f"{kind!r} means nothing to an OpenAI provider")
    return [{"type": "image_url", "image_url": {"url": url}}]


def _document(block: Json, where: str) -> list[Json]:
    source = sub(block, "source")
    match source.get("type"):
        case "base64":
            title = block.get("title")
            name = title if isinstance(title, str) else "document.pdf"
            file = {"filename": name, "file_data": _data_url(source, where)}
            return [{"type": "file", "file": file}]
        case "text":
            return [{"type": "text", "text": string(source.get("data"), f"{where}.source.data")}]
        case "content":
            at = f"{where}.source.content"
            return [p for b in _blocks(source.get("content"), at) for p in _shown(b, at)]
        case kind:
            raise refuse(f"{where}.source", f"{kind!r} means nothing to an OpenAI provider")


def _search_result(block: Json, where: str) -> list[Json]:
    found = _blocks(block.get("content"), f"{where}.content")
    head = [str(block[key]) for key in ("title", "source") if block.get(key)]
    said = [string(b.get("text"), f"{where}.content") for b in found]
    return [{"type": "text", "text": "\n".join([*head, *said])}]


def _data_url(source: Json, where: str) -> str:
    media_type = string(source.get("media_type"), f"{where}.source.media_type")
    return f"data:{media_type};base64,{string(source.get('data'), f'{where}.source.data')}"


_PARTS: Final[dict[str, Callable[[Json, str], list[Json]]]] = {
    "text": _text,
    "image": _image,
    "document": _document,
    "search_result": _search_result,
}
