"""A Chat Completions conversation as an Anthropic one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from llmitm.dialects.carry import Json, arguments, object_, objects, refuse, string, sub

_DATA_URL: Final = re.compile(r"data:([\w.+-]+/[\w.+-]+)?(?:;[\w=.+-]+)*?;base64,(.*)", re.DOTALL)
_ID: Final = re.compile(r"[^a-zA-Z0-9_-]")


def conversation(messages: object) -> tuple[list[Json], list[Json]]:
    """The system prompt's blocks and the turns.

    Anthropic has its system prompt apart from the turns, tool results inside user turns, and no
    two turns of one role in a row. Raises GatewayError for content that it can't take.
    """
    system: list[Json] = []
    turns: list[Json] = []
    for i, message in enumerate(objects(messages, "messages")):
        where = f"messages[{i}]"
        match message.get("role"):
            case "system" | "developer":
                system += _content(message.get("content"), where)
            case "user":
                _append(turns, "user", _content(message.get("content"), where))
            case "assistant":
                _append(turns, "assistant", _assistant(message, where))
            case "tool":
                _append(turns, "user", [_tool_result(message, where)])
            case role:
                raise refuse(f"{where}.role", f"no role of a Chat Completions message: {role!r}")
    if turns:
        _trim_prefill(turns)
    if not turns:  # Anthropic needs a turn to answer
        _append(turns, "user", system)
        system = []
    if not turns:
        raise refuse("messages", "must have a message with content")
    for turn in turns:
        turn["content"] = compact(turn["content"])
    return system, turns


def compact(blocks: list[Json]) -> str | list[Json]:
    """Plain text as a string, which says the same in fewer words."""
    if len(blocks) == 1 and blocks[0].keys() == {"type", "text"}:
        return string(blocks[0]["text"], "text")
    return blocks


def tool_id(value: object, param: str) -> str:
    """A tool call's id with the letters that Anthropic allows."""
    return _ID.sub("_", string(value, param))


def _append(turns: list[Json], role: str, blocks: list[Json]) -> None:
    if not blocks:
        return
    if turns and turns[-1]["role"] == role:
        turns[-1]["content"] += blocks
    else:
        turns.append({"role": role, "content": [*blocks]})


def _trim_prefill(turns: list[Json]) -> None:
    """Anthropic refuses an answer to be continued (prefill) that ends in white space."""
    last = turns[-1]
    block = last["content"][-1]
    if last["role"] == "assistant" and block.get("type") == "text":
        block["text"] = block["text"].rstrip()
        if not block["text"]:
            last["content"].pop()
    if not last["content"]:
        turns.pop()


def _content(content: object, where: str) -> list[Json]:
    """Blocks of a message's content; empty text, which Anthropic refuses, is left out."""
    if content is None or isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    blocks = []
    for j, part in enumerate(objects(content, f"{where}.content")):
        block = _part(part, f"{where}.content[{j}]")
        if block.get("text") == "":
            continue
        if isinstance(part.get("cache_control"), dict):
            block["cache_control"] = part["cache_control"]
        blocks.append(block)
    return blocks


def _part(part: Json, where: str) -> Json:
    match part.get("type"):
        case "text" | "refusal" as kind:
            return {"type": "text", "text": string(part.get(kind), f"{where}.{kind}")}
        case "image_url":
            image = part.get("image_url")
            url = image.get("url") if isinstance(image, dict) else image
            return {"type": "image", "source": _source(url, f"{where}.image_url")}
        case "file":
            return _document(sub(part, "file"), f"{where}.file")
        case "input_audio":
            raise refuse(where, "audio cannot be sent to an Anthropic model")
        case kind:
            raise refuse(f"{where}.type", f"{kind!r} cannot be sent to an Anthropic model")


def _source(url: object, where: str) -> Json:
    address = string(url, where)
    if address.startswith(("http://", "https://")):
        return {"type": "url", "url": address}
    match = _DATA_URL.fullmatch(address)
    if match is None:
        raise refuse(where, "must be an http(s) URL or a base64 data URL")
    media_type, data = match.groups()
    return {"type": "base64", "media_type": media_type or "text/plain", "data": data}


def _document(file: Json, where: str) -> Json:
    if "file_data" not in file:
        raise refuse(where, "a file must be given as file_data; a file_id means nothing elsewhere")
    block: Json = {"type": "document", "source": _source(file["file_data"], f"{where}.file_data")}
    if isinstance(file.get("filename"), str):
        block["title"] = file["filename"]
    return block


def _assistant(message: Json, where: str) -> list[Json]:
    if message.get("function_call"):
        raise refuse(f"{where}.function_call", "is out of use; use tool_calls")
    if message.get("audio"):
        raise refuse(f"{where}.audio", "audio cannot be sent to an Anthropic model")
    blocks = [*_thinking(message), *_content(message.get("content"), where)]
    if isinstance(message.get("refusal"), str):
        blocks += _content(message["refusal"], where)
    for j, call in enumerate(objects(message.get("tool_calls"), f"{where}.tool_calls")):
        blocks.append(_tool_use(call, f"{where}.tool_calls[{j}]"))
    return blocks


def _thinking(message: Json) -> Iterator[Json]:
    """The thinking that our own answers carry as `thinking_blocks`: signed, so it can go back."""
    found = message.get("thinking_blocks")
    for block in found if isinstance(found, list) else []:
        match block:
            case {"type": "thinking", "thinking": str(said), "signature": str(signature)}:
                yield {"type": "thinking", "thinking": said, "signature": signature}
            case {"type": "redacted_thinking", "data": str(data)}:
                yield {"type": "redacted_thinking", "data": data}


def _tool_use(call: Json, where: str) -> Json:
    if call.get("type", "function") != "function":
        raise refuse(f"{where}.type", "Anthropic models call functions only")
    function = object_(call.get("function"), f"{where}.function")
    return {
        "type": "tool_use",
        "id": tool_id(call.get("id"), f"{where}.id"),
        "name": string(function.get("name"), f"{where}.function.name"),
        "input": arguments(function.get("arguments"), f"{where}.function.arguments"),
    }


def _tool_result(message: Json, where: str) -> Json:
    blocks = _content(message.get("content"), where)
    result = {
        "type": "tool_result",
        "tool_use_id": tool_id(message.get("tool_call_id"), f"{where}.tool_call_id"),
    }
    return {**result, "content": compact(blocks)} if blocks else result
