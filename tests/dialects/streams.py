"""Streams as providers send them, and what a client makes of them, for the translation tests."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any, Protocol

from hypothesis import strategies as st

from llmitm.errors import Cause, GatewayError

type Json = dict[str, Any]


class Stream(Protocol):
    def feed(self, chunk: bytes) -> bytes: ...

    def end(self) -> bytes: ...


def cause_of(translate: Callable[[Json], Any], body: Json) -> Cause | None:
    """Why a request is refused; None where it is translated."""
    try:
        translate(body)
    except GatewayError as refusal:
        return refusal.cause
    return None


def run(stream: Stream, chunks: list[bytes]) -> bytes:
    """All that a translated stream sends for these chunks."""
    return b"".join([*map(stream.feed, chunks), stream.end()])


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """`data` in pieces, cut at `places` (taken modulo its length)."""
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[a:b] for a, b in pairwise(edges)]


PLACES = st.lists(st.integers(0, 100_000), max_size=12)
"""Where to cut a stream of bytes."""

WORDS = st.text(st.characters(codec="utf-8"), max_size=12)
"""Text with anything in it that JSON can carry."""

NAMES = st.from_regex(r"[a-z_]{1,12}", fullmatch=True)
ARGUMENTS = st.dictionaries(NAMES, st.none() | st.booleans() | st.integers() | WORDS, max_size=3)
COUNTS = st.integers(0, 5000)


def sse(payloads: list[Any], *, named: bool = False) -> bytes:
    """Server-sent events; `named` for the type of each, as Anthropic's are."""
    lines = []
    for payload in payloads:
        data = payload if isinstance(payload, str) else json.dumps(payload, ensure_ascii=False)
        lines.append((f"event: {payload['type']}\n" if named else "") + f"data: {data}\n\n")
    return "".join(lines).encode()


def payloads(stream: bytes) -> Iterator[Any]:
    """The payloads of a stream of events, ``[DONE]`` as that text."""
    for block in stream.decode().split("\n\n"):
        for line in block.split("\n"):
            if line.startswith("data: "):
                data = line.removeprefix("data: ")
                yield data if data == "[DONE]" else json.loads(data)


def lines(stream: bytes) -> list[Json]:
    """The objects of a stream of lines."""
    return [json.loads(line) for line in stream.decode().split("\n") if line]


def anthropic_events(message: Json, size: int = 3) -> list[Json]:
    """`message` as Anthropic streams it, its contents in pieces of `size` characters."""
    usage = {**message["usage"], "output_tokens": 1}
    head = {**message, "content": [], "stop_reason": None, "stop_sequence": None, "usage": usage}
    events: list[Json] = [{"type": "message_start", "message": head}, {"type": "ping"}]
    for index, block in enumerate(message["content"]):
        events += _block_events(index, block, size)
    delta = {"stop_reason": message["stop_reason"], "stop_sequence": message["stop_sequence"]}
    spent = {"output_tokens": message["usage"]["output_tokens"]}
    events.append({"type": "message_delta", "delta": delta, "usage": spent})
    return [*events, {"type": "message_stop"}]


def _block_events(index: int, block: Json, size: int) -> Iterator[Json]:
    empty, deltas = _deltas(block, size)
    yield {"type": "content_block_start", "index": index, "content_block": empty}
    for delta in deltas:
        yield {"type": "content_block_delta", "index": index, "delta": delta}
    yield {"type": "content_block_stop", "index": index}


def _deltas(block: Json, size: int) -> tuple[Json, list[Json]]:
    match block["type"]:
        case "text":
            said = pieces(block["text"], size)
            return {**block, "text": ""}, [{"type": "text_delta", "text": part} for part in said]
        case "thinking":
            said = pieces(block["thinking"], size)
            deltas = [{"type": "thinking_delta", "thinking": part} for part in said]
            deltas.append({"type": "signature_delta", "signature": block["signature"]})
            return {"type": "thinking", "thinking": "", "signature": ""}, deltas
        case "tool_use":
            said = (
                pieces(json.dumps(block["input"], ensure_ascii=False), size)
                if block["input"]
                else []
            )
            kind = "input_json_delta"
            deltas = [{"type": kind, "partial_json": part} for part in said]
            return {**block, "input": {}}, deltas
    return block, []


def openai_chunks(completion: Json, size: int = 3) -> list[Any]:
    """`completion` as OpenAI streams it, with usage, in pieces of `size` characters."""
    message = completion["choices"][0]["message"]
    deltas: list[Json] = [{"role": "assistant", "content": ""}]
    for key in ("reasoning_content", "content", "refusal"):
        deltas += [{key: part} for part in pieces(message.get(key) or "", size)]
    for index, call in enumerate(message.get("tool_calls") or []):
        function = {**call["function"], "arguments": ""}
        deltas.append({"tool_calls": [{**call, "index": index, "function": function}]})
        for part in pieces(call["function"]["arguments"], size):
            deltas.append({"tool_calls": [{"index": index, "function": {"arguments": part}}]})
    finish = completion["choices"][0]["finish_reason"]
    last = {**_chunk_head(completion), "choices": [], "usage": completion["usage"]}
    chunks = [_chunk(completion, delta, None) for delta in deltas]
    return [*chunks, _chunk(completion, {}, finish), last, "[DONE]"]


def _chunk_head(completion: Json) -> Json:
    head = {key: completion[key] for key in ("id", "created", "model")}
    return {**head, "object": "chat.completion.chunk"}


def _chunk(completion: Json, delta: Json, finish: str | None) -> Json:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return {**_chunk_head(completion), "choices": [choice], "usage": None}


def pieces(text: str, size: int) -> list[str]:
    """`text` in pieces of `size` characters."""
    return [text[i : i + size] for i in range(0, len(text), size)]


@st.composite
def messages(draw: st.DrawFn) -> Json:
    """A message as Anthropic answers: thinking, text, tool calls."""
    blocks: list[Json] = []
    if thought := draw(st.none() | WORDS.filter(bool)):
        blocks.append({"type": "thinking", "thinking": thought, "signature": "c2ln"})
    said = draw(st.lists(WORDS.filter(bool), max_size=2))
    blocks += [{"type": "text", "text": text} for text in said]
    for i, name in enumerate(draw(st.lists(NAMES, max_size=3))):
        given = draw(ARGUMENTS)
        blocks.append({"type": "tool_use", "id": f"toolu_{i}", "name": name, "input": given})
    ending = draw(
        st.sampled_from(["end_turn", "max_tokens", "stop_sequence", "tool_use", "refusal"])
    )
    return {
        "id": "msg_01",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-6",
        "content": blocks,
        "stop_reason": ending,
        "stop_sequence": None,
        "usage": {
            "input_tokens": draw(COUNTS),
            "cache_read_input_tokens": draw(COUNTS),
            "cache_creation_input_tokens": draw(COUNTS),
            "output_tokens": draw(st.integers(1, 5000)),
        },
    }


@st.composite
def completions(draw: st.DrawFn) -> Json:
    """A chat completion as OpenAI answers: reasoning, text, tool calls."""
    message: Json = {"role": "assistant", "content": draw(st.none() | WORDS), "refusal": None}
    if thought := draw(st.none() | WORDS.filter(bool)):
        message["reasoning_content"] = thought
    calls = [
        {
            "id": f"call_{i}",
            "type": "function",
            "function": {"name": name, "arguments": json.dumps(draw(ARGUMENTS))},
        }
        for i, name in enumerate(draw(st.lists(NAMES, max_size=3)))
    ]
    if calls:
        message["tool_calls"] = calls
    prompt, cached, completion = draw(COUNTS), draw(COUNTS), draw(st.integers(1, 5000))
    finish = draw(st.sampled_from(["stop", "length", "tool_calls", "content_filter"]))
    return {
        "id": "chatcmpl-01",
        "object": "chat.completion",
        "created": 1_790_000_000,
        "model": "gpt-4o-mini",
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish}],
        "usage": {
            "prompt_tokens": prompt + cached,
            "completion_tokens": completion,
            "total_tokens": prompt + cached + completion,
            "prompt_tokens_details": {"cached_tokens": cached},
        },
    }


def chat_of(stream: bytes) -> Json:
    """What a client of Chat Completions puts together from a stream."""
    seen: Json = {"content": "", "reasoning_content": "", "calls": {}, "thoughts": [], "ids": set()}
    for payload in payloads(stream):
        if payload == "[DONE]":
            seen["done"] = True
            continue
        if "error" in payload:
            seen["error"] = payload["error"]
            continue
        seen["ids"].add(payload["id"])
        seen["usage"] = payload.get("usage") or seen.get("usage")
        for choice in payload["choices"]:
            _add_delta(seen, choice["delta"])
            seen["finish_reason"] = choice["finish_reason"] or seen.get("finish_reason")
    return seen


def _add_delta(seen: Json, delta: Json) -> None:
    seen["roles"] = seen.get("roles", 0) + ("role" in delta)
    for key in ("content", "reasoning_content"):
        seen[key] += delta.get(key) or ""
    seen["thoughts"] += delta.get("thinking_blocks", [])
    for call in delta.get("tool_calls", []):
        slot = seen["calls"].setdefault(call["index"], {"arguments": ""})
        slot |= {key: call[key] for key in ("id",) if key in call}
        slot |= {key: call["function"][key] for key in ("name",) if key in call["function"]}
        slot["arguments"] += call["function"]["arguments"]


def message_of(stream: bytes) -> Json:
    """What a client of Messages puts together from a stream; blocks must not overlap."""
    seen: Json = {"content": [], "text": ""}
    is_open = False
    for payload in payloads(stream):
        match payload["type"]:
            case "message_start":
                seen |= {**payload["message"], "text": "", "starts": seen.get("starts", 0) + 1}
            case "content_block_start":
                assert not is_open and payload["index"] == len(seen["content"])
                is_open = True
                seen["content"].append({**payload["content_block"], "json": ""})
            case "content_block_delta":
                assert is_open and payload["index"] == len(seen["content"]) - 1
                _add_block_delta(seen["content"][-1], payload["delta"])
            case "content_block_stop":
                is_open = False
            case "message_delta":
                seen |= {**payload["delta"], "usage": payload["usage"]}
            case "message_stop":
                seen["done"] = True
            case "error":
                seen["error"] = payload["error"]
    return seen


def _add_block_delta(block: Json, delta: Json) -> None:
    match delta["type"]:
        case "text_delta":
            block["text"] += delta["text"]
        case "thinking_delta":
            block["thinking"] += delta["thinking"]
        case "input_json_delta":
            block["json"] += delta["partial_json"]
