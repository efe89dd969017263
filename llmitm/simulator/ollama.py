"""Ollama's own API: /api/chat, /api/generate, embeddings and what lists the models."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from llmitm.simulator.answer import Answer, Ask, answer, chosen_tool, conversation
from llmitm.simulator.exchange import Exchange
from llmitm.simulator.frames import encode, line
from llmitm.simulator.openai_chat import functions
from llmitm.simulator.openai_text import inputs
from llmitm.simulator.refusals import REFUSALS, Refused, invalid
from llmitm.simulator.reply import NDJSON, Event, Mark, Reply
from llmitm.simulator.schema import Schema
from llmitm.simulator.text import count
from llmitm.simulator.turns import turns_of
from llmitm.simulator.vectors import dimensions, vector

type Json = dict[str, Any]
type Part = Callable[[Answer, str, bool], Json]  # an answer's text as a field of a line

# Ollama has no word for a content filter.
_DONE = {"stop": "stop", "length": "length", "tool": "stop", "filter": "stop"}
_VERSION = "0.12.0"
_DETAILS = {
    "parent_model": "",
    "format": "gguf",
    "family": "simulator",
    "families": ["simulator"],
    "parameter_size": "1B",
    "quantization_level": "Q4_0",
}
_MADE = "2026-01-01T00:00:00Z"
_SIZE = 1_000_000


def chat(ex: Exchange) -> Reply:
    turns, prefill = conversation(ex, ex.list_of("messages"), continues=True)
    tool = chosen_tool(turns, functions(ex), None)
    ask = Ask(turns, prefill, _limit(ex), _schema(ex.body.get("format")), tool)
    return _reply(ex, answer(ex, ask), _chat_part)


def generate(ex: Exchange) -> Reply:
    """Answers a prompt; without one the model is only loaded."""
    prompt = ex.body.get("prompt") or ""
    if not isinstance(prompt, str):
        raise Refused(invalid("prompt must be a text"))
    if not prompt:
        loaded = {**_head(ex), "response": "", "done": True, "done_reason": "load"}
        return Reply("ollama", encode(loaded))
    user = {"role": "user", "content": prompt, "images": ex.body.get("images")}
    turns = turns_of([user], ex.body.get("system"))
    ask = Ask(turns, limit=_limit(ex), schema=_schema(ex.body.get("format")))
    return _reply(ex, answer(ex, ask), _generate_part)


def embed(ex: Exchange) -> Reply:
    texts = inputs(ex, "input")
    size = dimensions(ex)
    vectors = [vector(ex.settings.seed, text, size) for text in texts]
    prompt = ex.stands_in("prompt", sum(map(count, texts)))
    body = {"model": ex.model, "embeddings": vectors, **_times(), "prompt_eval_count": prompt}
    return Reply("ollama", encode(body))


def embeddings(ex: Exchange) -> Reply:
    """The older form: one prompt, one vector, no counts."""
    (text,) = inputs(ex, "prompt")[:1]
    return Reply("ollama", encode({"embedding": vector(ex.settings.seed, text, dimensions(ex))}))


def root(ex: Exchange) -> Reply:
    return Reply("ollama", b"Ollama is running", content_type="text/plain; charset=utf-8")


def version(ex: Exchange) -> Reply:
    return Reply("ollama", encode({"version": _VERSION}))


def tags(ex: Exchange) -> Reply:
    listed = [{**_listed(name), "modified_at": _MADE} for name in ex.settings.models]
    return Reply("ollama", encode({"models": listed}))


def ps(ex: Exchange) -> Reply:
    """The first model is the one that is loaded."""
    listed = [
        {**_listed(name), "expires_at": _MADE, "size_vram": _SIZE, "context_length": 8192}
        for name in ex.settings.models[:1]
    ]
    return Reply("ollama", encode({"models": listed}))


def show(ex: Exchange) -> Reply:
    if ex.model not in ex.settings.models:
        raise Refused(REFUSALS["404"])
    body = {
        "modelfile": f"FROM {ex.model}",
        "parameters": "",
        "template": "{{ .Prompt }}",
        "details": _DETAILS,
        "model_info": {"general.architecture": "simulator", "simulator.context_length": 8192},
        "capabilities": ["completion", "tools", "embedding"],
        "modified_at": _MADE,
    }
    return Reply("ollama", encode(body))


def _listed(name: str) -> Json:
    digest = sha256(name.encode()).hexdigest()
    return {"name": name, "model": name, "size": _SIZE, "digest": digest, "details": _DETAILS}


def _limit(ex: Exchange) -> int | None:
    """`num_predict`, where anything below 1 means no limit."""
    options = ex.body.get("options")
    limit = options.get("num_predict") if isinstance(options, Mapping) else None
    return limit if isinstance(limit, int) and limit > 0 else None


def _schema(wanted: Any) -> Schema | None:
    if wanted == "json":
        return {}
    return wanted if isinstance(wanted, Mapping) else None


def _reply(ex: Exchange, said: Answer, part: Part) -> Reply:
    # Ollama streams unless it is told not to.
    if ex.body.get("stream", True) is not False:
        return Reply("ollama", steps=_stream(ex, said, part), content_type=NDJSON)
    return Reply("ollama", encode({**_head(ex), **part(said, said.text, False), **_end(said)}))


def _stream(ex: Exchange, said: Answer, part: Part) -> Iterator[Event]:
    if said.tool:
        yield Mark.TOKEN, line({**_head(ex), **part(said, said.text, False), "done": False})
    else:
        for piece in said.pieces:
            yield Mark.TOKEN, line({**_head(ex), **part(said, piece, False), "done": False})
    rest = {**part(said, "", True), **_end(said)}
    yield Mark.FINISH, line({**_head(ex), **rest})


def _head(ex: Exchange) -> Json:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return {"model": ex.model, "created_at": now}


def _chat_part(said: Answer, text: str, last: bool) -> Json:
    if said.tool is None or last:
        return {"message": {"role": "assistant", "content": text}}
    function = {"name": said.tool.name, "arguments": said.arguments}
    return {"message": {"role": "assistant", "content": "", "tool_calls": [{"function": function}]}}


def _generate_part(said: Answer, text: str, last: bool) -> Json:
    return {"response": text, "context": []} if last else {"response": text}


def _end(said: Answer) -> Json:
    counts = {
        "prompt_eval_count": said.usage.prompt_tokens,
        "eval_count": said.usage.completion_tokens,
    }
    present = {name: number for name, number in counts.items() if number}  # as Ollama's omitempty
    return {"done": True, "done_reason": _DONE[said.finish], **_times(), **present}


def _times() -> Json:
    """Durations in nanoseconds, of a model that takes no time."""
    return {
        "total_duration": 2_000_000,
        "load_duration": 1_000_000,
        "prompt_eval_duration": 500_000,
        "eval_duration": 500_000,
    }
