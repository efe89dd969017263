"""A stream put together: the whole answer that a dialect would have sent without streaming."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

_decode = msgspec.json.Decoder().decode

Json = dict[str, Any]


def payloads(body: bytes) -> Iterator[Json]:
    """The JSON objects of a stream of server-sent events or of JSON lines.

    What is no JSON object is passed by, so a stream that was cut ends with its last whole event.
    """
    for line in body.splitlines():
        data = line.removeprefix(b"data:").strip()
        if data.startswith(b"{"):
            try:
                value = _decode(data)
            except (msgspec.DecodeError, UnicodeDecodeError):
                continue
            if isinstance(value, dict):
                yield value


def fold(dialect: str, operation: str, body: bytes) -> Json:
    """The answer of a stream, in the shape of its dialect's whole answers."""
    return _FOLDS[_fold_name(dialect, operation)](payloads(body))


def _fold_name(dialect: str, operation: str) -> str:
    if dialect == "openai" and operation == "responses":
        return "responses"
    return dialect if dialect in _FOLDS else "openai"


def _openai(events: Iterable[Json]) -> Json:
    choices: dict[int, Json] = {}
    answer: Json = {}
    for event in events:
        answer |= {name: event[name] for name in ("usage", "error") if event.get(name)}
        for chunk in _objects(event.get("choices")):
            choice = choices.setdefault(_index(chunk), {"message": {}})
            delta = chunk.get("delta")
            if isinstance(delta, dict):
                _merge(choice["message"], delta)
            _append(choice, "text", chunk.get("text"))
            choice["finish_reason"] = chunk.get("finish_reason") or choice.get("finish_reason")
    return answer | {"choices": list(choices.values())}


def _merge(target: Json, delta: Json) -> None:
    """Add a delta: texts grow, tool calls grow by their index, the rest is replaced."""
    for name, value in delta.items():
        if name == "tool_calls":
            calls = target[name] = _objects(target.get(name))
            for call in _objects(value):
                index = min(_index(call), len(calls))
                if index == len(calls):
                    calls.append({})
                _merge(calls[index], call)
        elif isinstance(value, dict):
            target[name] = _object(target.get(name))
            _merge(target[name], value)
        elif name in ("role", "id", "type", "index"):
            target[name] = value if value is not None else target.get(name)
        else:
            _append(target, name, value)


def _anthropic(events: Iterable[Json]) -> Json:
    answer: Json = {"role": "assistant", "usage": {}}
    blocks: dict[int, Json] = {}
    for event in events:
        delta = event.get("delta")
        delta = delta if isinstance(delta, dict) else {}
        match event.get("type"):
            case "content_block_start" if isinstance(event.get("content_block"), dict):
                blocks[_index(event)] = dict(event["content_block"])
            case "content_block_delta":
                block = blocks.setdefault(_index(event), {"type": "text"})
                for name in ("text", "thinking"):
                    _append(block, name, delta.get(name))
                _append(block, "partial", delta.get("partial_json"))
            case "message_delta":
                answer["stop_reason"] = delta.get("stop_reason") or answer.get("stop_reason")
                answer["usage"] |= _object(event.get("usage"))
            case "message_start":
                answer["usage"] |= _object(_object(event.get("message")).get("usage"))
            case "error":
                answer["error"] = event.get("error")
    for block in blocks.values():
        if "partial" in block:
            block["input"] = block.pop("partial")
    return answer | {"content": list(blocks.values())}


def _ollama(events: Iterable[Json]) -> Json:
    answer: Json = {"message": {}}
    for event in events:
        message = _object(event.get("message"))
        for name in ("content", "thinking"):
            _append(answer["message"], name, message.get(name))
        if isinstance(message.get("tool_calls"), list):
            answer["message"].setdefault("tool_calls", []).extend(message["tool_calls"])
        _append(answer, "response", event.get("response"))
        _append(answer, "thinking", event.get("thinking"))
        counts = ("done_reason", "prompt_eval_count", "eval_count", "error")
        answer |= {name: event[name] for name in counts if name in event}
    return answer


def _responses(events: Iterable[Json]) -> Json:
    items: dict[int, Json] = {}
    for event in events:
        kind = event.get("type")
        if kind in ("response.completed", "response.incomplete", "response.failed"):
            return _object(event.get("response"))
        if kind == "error":
            return {"output": list(items.values()), "error": event}
        if "output_index" not in event:
            continue
        item = items.setdefault(_index(event, "output_index"), {"type": "message"})
        if kind in ("response.output_item.added", "response.output_item.done"):
            item |= _object(event.get("item"))
        elif kind == "response.output_text.delta":
            item["type"] = "output_text"
            _append(item, "text", event.get("delta"))
        elif kind == "response.function_call_arguments.delta":
            _append(item, "arguments", event.get("delta"))
    return {"output": list(items.values())}


_FOLDS: dict[str, Callable[[Iterable[Json]], Json]] = {
    "openai": _openai,
    "responses": _responses,
    "anthropic": _anthropic,
    "ollama": _ollama,
}


def _append(target: Json, name: str, value: Any) -> None:
    if isinstance(value, str):
        before = target.get(name)
        target[name] = before + value if isinstance(before, str) else value
    elif value is not None:
        target[name] = value


def _index(value: Json, name: str = "index") -> int:
    """Which choice, block or call a delta belongs to; the first where it does not say."""
    index = value.get(name)
    return max(0, index) if type(index) is int else 0


def _object(value: Any) -> Json:
    return value if isinstance(value, dict) else {}


def _objects(value: Any) -> list[Json]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
