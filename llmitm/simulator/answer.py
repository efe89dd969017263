"""What the simulated model says: a pure function of the seed and the conversation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from llmitm.call import Usage
from llmitm.simulator.exchange import Exchange
from llmitm.simulator.refusals import NO_PREFILL, Refused
from llmitm.simulator.schema import Schema, example
from llmitm.simulator.selection import wants_prefill
from llmitm.simulator.settings import Settings
from llmitm.simulator.text import Turn, count, digest, pieces, prose
from llmitm.simulator.turns import split_prefill, turns_of

type Finish = Literal["stop", "length", "tool", "filter"]

_encode = msgspec.json.Encoder().encode
_MESSAGE_OVERHEAD = 3  # tokens that a message costs besides its text
_DEFAULTS = Settings()


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool that will be called, and the schema of its arguments."""

    name: str
    schema: Schema


@dataclass(frozen=True, slots=True)
class Ask:
    """What a request of any dialect asks for.

    `limit` is the most tokens it takes; `schema` asks for JSON, `{}` for any object;
    `prefill` is the start of the answer, None where the answer starts afresh.
    """

    turns: tuple[Turn, ...]
    prefill: str | None = None
    limit: int | None = None
    schema: Schema | None = None
    tool: Tool | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """One choice. `pieces` are the tokens of its text, or of the arguments of a `tool`."""

    pieces: Sequence[str]
    finish: Finish
    usage: Usage
    tool: Tool | None = None

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    @property
    def arguments(self) -> Any:
        """The tool's arguments; an empty object where they were cut short."""
        try:
            return msgspec.json.decode(self.text)
        except msgspec.DecodeError:
            return {}


def conversation(
    ex: Exchange, messages: Sequence[Any], system: Any = None, *, continues: bool
) -> tuple[tuple[Turn, ...], str | None]:
    """The turns to answer, and the prefill to continue.

    `continues` is whether the dialect continues an assistant message given last of its own.
    Raises Refused where such a message is not taken.
    """
    before, prefill = split_prefill(messages)
    if prefill is None:
        return turns_of(messages, system), None
    asked = ex.settings.prefill or wants_prefill(ex.model)
    if ex.fault.kind.refuses_prefill or (ex.settings.refuse_prefill and not asked):
        raise Refused(NO_PREFILL)
    if continues or asked:
        return turns_of(before, system), prefill
    return turns_of(messages, system), None


def chosen_tool(turns: Sequence[Turn], offered: Mapping[str, Any], name: str | None) -> Tool | None:
    """The tool to call: after a user's turn, the one that was named or the first."""
    if not offered or not turns or turns[-1][0] != "user":
        return None
    called = name if name is not None and name in offered else next(iter(offered))
    schema = offered[called]
    return Tool(called, schema if isinstance(schema, Mapping) else {})


def answer(ex: Exchange, ask: Ask, choice: int = 0) -> Answer:
    """The answer to `ask`; of several choices number `choice`."""
    key = digest(ex.settings.seed, ask.turns, choice)
    whole = _whole(ask, key, ex.stands_in("tokens", ex.settings.tokens))
    left = _after(whole, ask.prefill)
    said = left[: ask.limit]
    finish: Finish = "tool" if ask.tool else "stop"
    if len(said) < len(left):
        finish = "length"
    if ex.fault.kind.filters:
        said, finish = said[: ex.fault.whole("after")], "filter"
    return Answer(said, finish, _usage(ex, prompt_tokens(ask), len(said)), ask.tool)


def prompt_tokens(ask: Ask) -> int:
    """Tokens of all messages, a prefill included, and a few for each message."""
    texts = [text for _, text in ask.turns] + ([ask.prefill] if ask.prefill else [])
    return sum(map(count, texts)) + _MESSAGE_OVERHEAD * len(texts)


def expected_text(
    messages: Iterable[Any],
    tokens: int = _DEFAULTS.tokens,
    *,
    seed: int = _DEFAULTS.seed,
    system: Any = None,
    prefill: bool = True,
    choice: int = 0,
) -> str:
    """The whole text that the simulator answers `messages` with, in any dialect.

    An assistant message given last is the start of that text, or with `prefill` False a turn
    like the others.
    """
    listed = list(messages)
    turns = turns_of(split_prefill(listed)[0] if prefill else listed, system)
    return "".join(prose(digest(seed, turns, choice), tokens))


def _whole(ask: Ask, key: int, tokens: int) -> Sequence[str]:
    if ask.tool is not None:
        return pieces(_encode(example({"type": "object", **ask.tool.schema}, key)).decode())
    if ask.schema is None:
        return prose(key, tokens)
    value = example(ask.schema, key) if ask.schema else {"answer": "".join(prose(key, tokens))}
    return pieces(_encode(value).decode())


def _after(whole: Sequence[str], prefill: str | None) -> Sequence[str]:
    """What is left to say after `prefill`; a foreign one counts by its length."""
    if not prefill:
        return whole
    text = "".join(whole)
    if text.startswith(prefill):
        return pieces(text[len(prefill) :])
    return whole[count(prefill) :]


def _usage(ex: Exchange, prompt: int, completion: int) -> Usage:
    prompt = ex.stands_in("prompt", prompt)
    reasoning = ex.stands_in("reasoning", ex.settings.reasoning_tokens)
    cached = min(prompt, ex.stands_in("cached", ex.settings.cached_tokens))
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=ex.stands_in("completion", completion + reasoning),
        cached_tokens=cached,
        cache_write_tokens=ex.stands_in("cache-write", 0),
        cache_write_1h_tokens=ex.stands_in("cache-write-1h", 0),
        reasoning_tokens=reasoning,
        audio_prompt_tokens=ex.stands_in("audio-prompt", 0),
        audio_completion_tokens=ex.stands_in("audio-completion", 0),
    )
