from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from llmitm.config.access import AccessPolicy, Param, permits
from llmitm.config.keys import Key


def test_parameters() -> None:
    """A parameter has bounds and a default, and whole numbers stay whole."""
    policy = AccessPolicy.model_validate(
        {"models": [{"model": "gpt-*", "params": {"max_tokens": {"max": 4096, "default": 512}}}]}
    )
    param = policy.models[0].params["max_tokens"]
    assert (repr(param.max), param.default, param.min) == ("4096", 512, None)


@pytest.mark.parametrize(
    "param",
    [
        {"min": 2, "max": 1},
        {"max": 1, "default": 2},
        {"min": 1, "default": 0},
        {"max": "x"},
        {"top": 1},
    ],
)
def test_refuses_parameters(param: Any) -> None:
    """Bounds that exclude each other or the default are refused."""
    with pytest.raises(ValidationError):
        Param.model_validate(param)


@pytest.mark.parametrize(
    ("models", "model", "permitted"),
    [
        (None, "anything", True),
        (["gpt-*", "small"], "gpt-4o", True),
        (["gpt-*", "small"], "small", True),
        (["gpt-*", "small"], "smaller", False),
        ([], "gpt-4o", False),
    ],
)
def test_permits(models: Any, model: str, permitted: bool) -> None:
    """A key may ask for the models that its patterns match, for all where it has none."""
    entry = {"id": "k", "key": "x"} | ({} if models is None else {"models": models})
    assert permits(Key.model_validate(entry), model) is permitted
