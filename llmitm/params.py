"""Caps and defaults of request parameters, in the words of each dialect."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from llmitm import dialects
from llmitm.config.schema import Param, Params
from llmitm.errors import Cause, GatewayError

# One and the same parameter, by the names that the APIs have for it.
OUTPUT = "max_tokens"
OUTPUT_NAMES = frozenset(
    {
        "max_tokens",
        "max_completion_tokens",
        "max_output_tokens",
        "max_tokens_to_sample",
        "num_predict",
        "options.num_predict",
    }
)
# Only what writes text gets defaults: an embeddings request with a temperature is refused.
WRITING = frozenset({"chat", "completions", "responses", "messages", "generate"})
# What Ollama takes beside `options`; every other parameter is in there.
OLLAMA_PLAIN = frozenset(
    {"dimensions", "format", "keep_alive", "logprobs", "raw", "think", "top_logprobs", "truncate"}
)

Path = tuple[str, ...]
Body = Mapping[str, Any]


def merged(general: Params, own: Params) -> Params:
    """Rules that hold both those for everyone and a key's own, whose defaults come first.

    Names that mean the length of an answer are one, `max_tokens`.
    """
    rules: Params = {}
    for layer in (general, own):
        for written, rule in layer.items():
            name = OUTPUT if written in OUTPUT_NAMES else written
            rules[name] = _both(rules[name], rule) if name in rules else rule
    return rules


def changes(dialect: str, operation: str, body: Body, rules: Params) -> dict[str, Any]:
    """The fields to set so that a request is within its rules.

    An answer's length that the request leaves open counts as more than any cap. Raises
    GatewayError for a capped parameter that is no number, or is spelled to be overlooked.
    """
    _refuse_disguises(body, rules)
    changed: dict[str, Any] = {}
    for name, rule in rules.items():
        now = {**body, **changed}
        paths = paths_of(name, dialect, operation)
        given = [path for path in paths if _get(now, path) is not None]
        for path in given:
            value = _bounded(_get(now, path), rule, path, name == OUTPUT)
            if value != _get(now, path):
                _set(changed, body, path, value)
        default = rule.max if name == OUTPUT and rule.default is None else rule.default
        if paths and not given and default is not None and operation in WRITING:
            _set(changed, body, paths[0], default)
    return changed


def paths_of(name: str, dialect: str, operation: str) -> list[Path]:
    """Where a request of this kind has the parameter: several for `max_tokens`, none or one."""
    if name == OUTPUT:
        names = dialects.output_limits(dialect, operation)
        return [("options", own) if dialect == "ollama" else (own,) for own in names]
    path = tuple(name.split("."))
    if dialect != "ollama":
        return [] if path[0] == "options" else [path]
    if len(path) > 1 or name in OLLAMA_PLAIN:
        return [path]
    return [("options", name)]


def _both(one: Param, other: Param) -> Param:
    low = max(_given(one.min, other.min), default=None)
    high = min(_given(one.max, other.max), default=None)
    default = one.default if other.default is None else other.default
    if _is_number(default):
        default = max(_given(low, min(_given(high, default))))
    return Param.model_construct(min=low, max=high, default=default)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _given(*values: int | float | None) -> Iterator[int | float]:
    return (value for value in values if value is not None)


def _bounded(value: Any, rule: Param, path: Path, is_output: bool) -> Any:
    if rule.min is None and rule.max is None:
        return value
    name = ".".join(path)
    if not _is_number(value):
        raise GatewayError(Cause.INVALID_REQUEST, f"{name} must be a number.", param=name)
    # Ollama's -1 and -2 mean without end.
    if rule.max is not None and (value > rule.max or (is_output and value < 0)):
        return rule.max
    return rule.min if rule.min is not None and value < rule.min else value


def _refuse_disguises(body: Body, rules: Iterable[str]) -> None:
    """Some providers (Go's encoding/json) take `Max_Tokens` for max_tokens, past the cap."""
    odd = [name for name in body if not (name.isascii() and name.islower())]
    if not odd:
        return
    capped = {name.partition(".")[0] for name in rules} | OUTPUT_NAMES
    for name in odd:
        if name.casefold() in capped:
            raise GatewayError(Cause.INVALID_REQUEST, f"Unknown field {name!r}.", param=name)


def _get(body: Body, path: Path) -> Any:
    here: Any = body
    for step in path:
        if here is None:
            return None
        if not isinstance(here, Mapping):
            raise GatewayError(
                Cause.INVALID_REQUEST, f"{path[0]} must be an object.", param=path[0]
            )
        here = here.get(step)
    return here


def _set(changed: dict[str, Any], body: Body, path: Path, value: Any) -> None:
    """Set what `path` leads to in `changed`, which holds whole fields of `body`."""
    first, *rest = path
    if not rest:
        changed[first] = value
        return
    outer = changed[first] if first in changed else body.get(first)
    changed[first] = inner = dict(outer or {})
    for step in rest[:-1]:
        inner[step] = inner = dict(inner.get(step) or {})
    inner[rest[-1]] = value
