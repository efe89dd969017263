"""A conversation and the story of its call as lines of text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from llmitm import dialects
from llmitm.inspector.recorder import parse_timing
from llmitm.inspector.turns import Piece, Turn, as_json

WIDTH = 78
MAX_ROWS = 60  # of a stream's timing
_PARAMS = (
    *("temperature", "top_p", "top_k", "max_tokens", "max_completion_tokens", "max_output_tokens"),
    *("num_predict", "n", "seed", "stop", "stream", "reasoning_effort", "tool_choice"),
    *("response_format", "format", "thinking", "keep_alive", "service_tier"),
)
_SHORT = 60


def heading(title: str) -> str:
    return f"── {title} " + "─" * max(3, WIDTH - len(title) - 4)


def conversation(turns: Iterable[Turn]) -> Iterator[str]:
    """Each turn under a heading with its role."""
    for one in turns:
        yield heading(one.role)
        for piece in one.pieces:
            yield from _piece(piece)
        yield ""


def settings(body: Mapping[str, Any]) -> Iterator[str]:
    """The request's parameters and tools, a line each."""
    options = body.get("options")
    merged = {**body, **options} if isinstance(options, dict) else body
    given = [f"{name} {_short(merged[name])}" for name in _PARAMS if merged.get(name) is not None]
    if given:
        yield "parameters  " + " · ".join(given)
    tools = [signature(tool) for tool in _list(body.get("tools")) if isinstance(tool, dict)]
    for position, tool in enumerate(tools):
        yield ("tools       " if not position else "            ") + tool


def signature(tool: Mapping[str, Any]) -> str:
    """A tool as `name(argument, optional?)`."""
    inner = tool.get("function")
    inner = inner if isinstance(inner, dict) else tool
    schema = inner.get("parameters", inner.get("input_schema"))
    schema = schema if isinstance(schema, dict) else {}
    properties = schema.get("properties")
    required = _list(schema.get("required"))
    names = properties if isinstance(properties, dict) else {}
    arguments = ", ".join(name if name in required else f"{name}?" for name in names)
    return f"{inner.get('name') or inner.get('type') or 'tool'}({arguments})"


def story(facts: Mapping[str, Any]) -> Iterator[str]:
    """Usage, cost, timing, route and attempts of a call, from its flow's metadata."""
    lines = {
        "call": _call(facts),
        "usage": _usage(facts),
        "cost": _of(facts, "cost_usd", "{} USD"),
        "timing": _timing(facts),
        "route": _route(facts),
        "left out": _of(facts, "left_out", "{} (drained, or its circuit was open)"),
    }
    for name, line in lines.items():
        if line:
            yield f"{name:<11} {line}"
    for position, tried in enumerate(str(facts.get("tried") or "").split("; ")):
        if tried:
            yield f"{'attempts' if not position else '':<11} {tried}"
    if facts.get("error"):
        yield f"{'error':<11} {facts['error']}"


def timeline(dialect: str, operation: str, body: bytes, chunks: str) -> Iterator[str]:
    """When each part of a stream came, and what it said."""
    try:
        marks = parse_timing(chunks)
    except ValueError:
        return
    reader = dialects.reader_for(dialect, operation)
    ends = [offset for offset, _ in marks[1:]] + [len(body)]
    for (offset, ms), end in list(zip(marks, ends, strict=True))[:MAX_ROWS]:
        said = "".join(event.text for event in reader.feed(body[offset:end]))
        yield f"{ms:>8,} ms  {end - offset:>6,} B  {_short(said) if said else ''}".rstrip()
    if len(marks) > MAX_ROWS:
        yield f"{'…':>8} {len(marks) - MAX_ROWS:,} more, the last after {marks[-1][1]:,} ms"


def pace(facts: Mapping[str, Any]) -> str | None:
    """How fast the tokens of an answer came after the first."""
    tokens, total, first = (
        _number(facts.get(name)) for name in ("completion_tokens", "duration_ms", "ttft_ms")
    )
    seconds = (total - first) / 1000
    return f"{tokens / seconds:,.1f} tokens/s" if tokens and first and seconds > 0 else None


def _piece(piece: Piece) -> Iterator[str]:
    match piece.kind:
        case "text":
            yield piece.text
        case "thinking":
            yield "(thinking)"
            yield from (f"  {line}" for line in piece.text.splitlines())
        case "call":
            yield f"→ {piece.name}({piece.text}){f'  {piece.id}' if piece.id else ''}"
        case "result":
            yield f"← {piece.id or piece.name}".rstrip()
            yield piece.text
        case "refusal":
            yield f"(refusal) {piece.text}"
        case "media":
            yield f"[{piece.text}]"


def _call(facts: Mapping[str, Any]) -> str:
    names = [f"{name} {facts[name]}" for name in ("key", "user", "team") if facts.get(name)]
    parts = [facts.get("request_id"), facts.get("endpoint"), *names]
    return " · ".join(str(part) for part in parts if part)


def _usage(facts: Mapping[str, Any]) -> str | None:
    prompt, completion = facts.get("prompt_tokens"), facts.get("completion_tokens")
    if not prompt and not completion:
        return None
    cached = f" ({facts['cached_tokens']} cached)" if facts.get("cached_tokens") else ""
    hidden = f" ({facts['reasoning_tokens']} reasoning)" if facts.get("reasoning_tokens") else ""
    estimated = ", estimated" if facts.get("estimated") else ""
    return f"{prompt} prompt{cached} + {completion} completion{hidden} tokens{estimated}"


def _timing(facts: Mapping[str, Any]) -> str | None:
    parts = [
        _of(facts, "ttft_ms", "first token {:,.0f} ms"),
        _of(facts, "duration_ms", "total {:,.0f} ms"),
        _of(facts, "overhead_ms", "gateway {:,.1f} ms"),
        pace(facts),
    ]
    return " · ".join(part for part in parts if part) or None


def _route(facts: Mapping[str, Any]) -> str | None:
    if not facts.get("plan"):
        return None
    name = facts.get("route") or "none, the default provider"
    strategy = f", {facts['strategy']}" if facts.get("strategy") else ""
    return f"{name}{strategy}: {facts['plan']}"


def _of(facts: Mapping[str, Any], name: str, form: str) -> str | None:
    value = facts.get(name)
    try:
        return None if value is None else form.format(value)
    except ValueError:  # a file of flows may say anything
        return None


def _short(value: Any) -> str:
    said = as_json(value).replace("\n", "⏎")
    return said if len(said) <= _SHORT else said[: _SHORT - 1] + "…"


def _number(value: Any) -> float:
    return value if isinstance(value, int | float) else 0.0


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
