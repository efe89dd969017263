"""An Ollama conversation as a Chat Completions one."""

from __future__ import annotations

from typing import Any, Final

from llmitm.dialects.carry import Json, encode, object_, objects, refuse, string, strings

_MAGIC: Final = {
    "/9j/": "image/jpeg",
    "R0lGOD": "image/gif",
    "UklGR": "image/webp",
}
"""How pictures begin in base64; all others are taken for PNG."""


def conversation(messages: object) -> list[Json]:
    """The messages, each tool call with an id and each tool result with the id of its call."""
    said: list[Json] = []
    open_calls: list[Json] = []
    for i, message in enumerate(objects(messages, "messages")):
        where = f"messages[{i}]"
        content = string(message.get("content") or "", f"{where}.content")
        match message.get("role"):
            case "system":
                said.append({"role": "system", "content": content})
            case "user":
                said.append(user_message(content, message.get("images"), f"{where}."))
            case "assistant":
                open_calls = _calls(message, i)
                said.append(_assistant(content, open_calls))
            case "tool":
                call = _answered(message, open_calls, where)
                said.append({"role": "tool", "tool_call_id": call, "content": content})
            case role:
                raise refuse(f"{where}.role", f"no role of an Ollama message: {role!r}")
    return said


def user_message(content: str, images: object, where: str) -> Json:
    """What a user says and shows. Ollama's pictures are bare base64."""
    pictures = strings(images, f"{where}images")
    if not pictures:
        return {"role": "user", "content": content}
    parts: list[Json] = [{"type": "text", "text": content}] if content else []
    parts += [{"type": "image_url", "image_url": {"url": _data_url(p)}} for p in pictures]
    return {"role": "user", "content": parts}


def _data_url(picture: str) -> str:
    if picture.startswith(("data:", "http://", "https://")):
        return picture
    kinds = (kind for magic, kind in _MAGIC.items() if picture.startswith(magic))
    return f"data:{next(kinds, 'image/png')};base64,{picture}"


def _assistant(content: str, calls: list[Json]) -> Json:
    message: Json = {"role": "assistant", "content": content or None}
    if calls:
        return {**message, "tool_calls": [*calls]}
    return {**message, "content": content}


def _calls(message: Json, i: int) -> list[Json]:
    calls = []
    for j, call in enumerate(objects(message.get("tool_calls"), f"messages[{i}].tool_calls")):
        where = f"messages[{i}].tool_calls[{j}].function"
        function = object_(call.get("function"), where)
        given: Any = call.get("id")
        call_id = given if isinstance(given, str) and given else f"call_{i}_{j}"
        name = string(function.get("name"), f"{where}.name")
        text = encode(object_(function.get("arguments"), f"{where}.arguments")).decode()
        described = {"name": name, "arguments": text}
        calls.append({"id": call_id, "type": "function", "function": described})
    return calls


def _answered(message: Json, open_calls: list[Json], where: str) -> str:
    """The id of the call that a tool message answers: named by id, by tool, or the next in line."""
    name = message.get("tool_name") or message.get("name")
    for call in open_calls:
        if message.get("tool_call_id", call["id"]) != call["id"]:
            continue
        if name in (None, "", call["function"]["name"]):
            open_calls.remove(call)
            return string(call["id"], where)
    raise refuse(where, "a tool's result must follow the assistant's call of that tool")
