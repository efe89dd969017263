"""Caps and defaults of parameters in the words of the three dialects."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmitm.config.schema import Param, Params
from llmitm.errors import Cause, GatewayError
from llmitm.params import OUTPUT_NAMES, changes, merged, paths_of

WRITES = [
    ("openai", "chat", ("max_completion_tokens", "max_tokens")),
    ("openai", "completions", ("max_tokens",)),
    ("openai", "responses", ("max_output_tokens",)),
    ("anthropic", "messages", ("max_tokens",)),
    ("anthropic", "completions", ("max_tokens_to_sample",)),
]


def rules(**params: dict[str, Any]) -> Params:
    found = {name.replace("__", "."): Param(**rule) for name, rule in params.items()}
    return merged({}, found)


@pytest.mark.parametrize("written", sorted(OUTPUT_NAMES))
@pytest.mark.parametrize(("dialect", "operation", "names"), WRITES)
def test_output_has_many_names(
    written: str, dialect: str, operation: str, names: tuple[str, ...]
) -> None:
    """A cap on the answer's length holds by whatever name it and the request have."""
    capped = merged({}, {written: Param(max=10)})
    for name in names:
        assert changes(dialect, operation, {name: 99}, capped) == {name: 10}
        assert changes(dialect, operation, {name: 9}, capped) == {}
    assert changes(dialect, operation, dict.fromkeys(names, 99), capped) == dict.fromkeys(names, 10)


@pytest.mark.parametrize("operation", ["chat", "generate"])
@pytest.mark.parametrize("written", ["max_tokens", "num_predict", "options.num_predict"])
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"num_predict": 99, "seed": 1}, {"num_predict": 10, "seed": 1}),
        ({"num_predict": -1}, {"num_predict": 10}),
        ({"num_predict": -2}, {"num_predict": 10}),
        ({"seed": 1}, {"seed": 1, "num_predict": 10}),
        (None, {"num_predict": 10}),
        ({"num_predict": 4}, None),
    ],
)
def test_ollama_options(
    operation: str, written: str, options: Any, expected: dict[str, Any] | None
) -> None:
    """Ollama's limit is in its options, where -1 and -2 mean without end."""
    capped = merged({}, {written: Param(max=10)})
    body = {"model": "m", "options": options}
    found = changes("ollama", operation, body, capped)
    assert found == ({} if expected is None else {"options": expected})


def test_an_open_end_is_above_any_cap() -> None:
    """A request that doesn't limit its answer gets the cap; with a default, that."""
    assert changes("openai", "chat", {}, rules(max_tokens={"max": 10})) == {
        "max_completion_tokens": 10
    }
    both = rules(max_tokens={"max": 10, "default": 5})
    assert changes("openai", "chat", {"max_tokens": None}, both) == {"max_completion_tokens": 5}
    assert changes("anthropic", "messages", {}, both) == {"max_tokens": 5}


def test_other_parameters_are_left_open() -> None:
    """A cap on another parameter says nothing where the provider's default holds."""
    assert changes("openai", "chat", {}, rules(temperature={"max": 1})) == {}


@pytest.mark.parametrize(
    "operation", ["embeddings", "images", "audio", "files", "count_tokens", "other"]
)
def test_no_defaults_where_no_text_is_written(operation: str) -> None:
    """An embeddings request that gets a temperature would be refused."""
    given = rules(temperature={"default": 1}, max_tokens={"max": 5, "default": 5})
    assert changes("openai", operation, {"model": "m"}, given) == {}


def test_caps_hold_everywhere() -> None:
    """What a request states is capped whatever the operation."""
    assert changes("openai", "images", {"n": 9}, rules(n={"max": 2})) == {"n": 2}


@pytest.mark.parametrize(
    ("name", "dialect", "paths"),
    [
        ("temperature", "openai", [("temperature",)]),
        ("temperature", "ollama", [("options", "temperature")]),
        ("options.num_ctx", "ollama", [("options", "num_ctx")]),
        ("options.num_ctx", "openai", []),
        ("think", "ollama", [("think",)]),
        ("reasoning.effort", "openai", [("reasoning", "effort")]),
    ],
)
def test_places(name: str, dialect: str, paths: list[tuple[str, ...]]) -> None:
    """Ollama has parameters in its options; a dot leads into an object."""
    assert paths_of(name, dialect, "chat") == paths


def test_nested_parameters() -> None:
    """What surrounds a nested parameter stays as it is."""
    body = {"reasoning": {"effort": "high", "summary": "auto"}}
    given = rules(thinking__budget_tokens={"max": 5}, reasoning__effort={"default": "low"})
    assert changes("openai", "responses", body, given) == {}
    assert changes("openai", "responses", {}, given)["reasoning"] == {"effort": "low"}
    thinking = {"thinking": {"type": "enabled", "budget_tokens": 9}}
    assert changes("anthropic", "messages", thinking, given)["thinking"] == {
        "type": "enabled",
        "budget_tokens": 5,
    }


def test_several_in_one_object() -> None:
    """Rules of one object don't undo each other, nor change the request in place."""
    body = {"options": {"temperature": 2, "top_p": 3}}
    given = rules(temperature={"max": 1}, top_p={"max": 0.5}, max_tokens={"max": 7})
    found = changes("ollama", "chat", body, given)
    assert found == {"options": {"temperature": 1, "top_p": 0.5, "num_predict": 7}}
    assert body == {"options": {"temperature": 2, "top_p": 3}}


@pytest.mark.parametrize("value", ["99999", True, [9], {"max": 1}])
def test_capped_parameters_are_numbers(value: Any) -> None:
    """Text is refused: a provider that takes "99999" for a number would go past the cap."""
    with pytest.raises(GatewayError) as caught:
        changes("openai", "chat", {"max_tokens": value}, rules(max_tokens={"max": 10}))
    assert (caught.value.cause, caught.value.param) == (Cause.INVALID_REQUEST, "max_tokens")


@pytest.mark.parametrize("options", ["text", 5, [1]])
def test_options_are_an_object(options: Any) -> None:
    """What should be an object and isn't is refused."""
    with pytest.raises(GatewayError) as caught:
        changes("ollama", "chat", {"options": options}, rules(temperature={"max": 1}))
    assert caught.value.param == "options"


def test_minimum() -> None:
    """What is below the minimum is raised to it."""
    assert changes("openai", "chat", {"temperature": -1}, rules(temperature={"min": 0})) == {
        "temperature": 0
    }


@pytest.mark.parametrize(
    ("general", "own", "expected"),
    [
        ({"max": 5}, {"max": 9}, {"max": 5}),
        ({"max": 9}, {"max": 5}, {"max": 5}),
        ({"min": 1}, {"min": 3, "max": 9}, {"min": 3, "max": 9}),
        ({"default": 1}, {"default": 2}, {"default": 2}),
        ({"default": 1}, {"max": 9}, {"default": 1, "max": 9}),
        ({"max": 5}, {"default": 8}, {"default": 5, "max": 5}),
        ({"min": 5}, {"default": 2}, {"default": 5, "min": 5}),
        ({"default": True}, {"max": 5}, {"default": True, "max": 5}),
    ],
)
def test_merged(general: Any, own: Any, expected: Any) -> None:
    """Both bounds hold; the key's default comes first, within them."""
    found = merged({"x": Param(**general)}, {"x": Param(**own)})["x"]
    assert found == Param.model_construct(**{"min": None, "max": None, "default": None, **expected})


def test_merged_names() -> None:
    """Names of the answer's length are one rule."""
    found = merged({"max_tokens": Param(max=9)}, {"options.num_predict": Param(max=5)})
    assert {name: rule.max for name, rule in found.items()} == {"max_tokens": 5}


NUMBERS = st.integers(-10, 100_000) | st.floats(-10, 1e9, allow_nan=False)


@given(
    st.sampled_from([*WRITES, ("ollama", "chat", ("num_predict",))]),
    st.dictionaries(st.sampled_from(sorted(OUTPUT_NAMES)), NUMBERS | st.none()),
    st.integers(1, 1000),
)
def test_nothing_gets_past_a_cap(kind: Any, fields: dict[str, Any], most: int) -> None:
    """However a request states it, the provider is asked for no longer answer than allowed."""
    dialect, operation, names = kind
    body = {"options": fields} if dialect == "ollama" else fields
    after = {**body, **changes(dialect, operation, body, rules(max_tokens={"max": most}))}
    holder = after["options"] if dialect == "ollama" else after
    stated = [holder[name] for name in names if holder.get(name) is not None]
    assert stated
    assert all(0 <= value <= most for value in stated)
