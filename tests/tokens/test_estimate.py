"""The bound that reservations use: never too small, whatever the prompt."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmitm.tokens import TEMPLATE, count_messages, image_ceiling, upper_estimate

TEXT = st.text(max_size=300) | st.sampled_from(["a" * 900, " " * 900, "\n\n" * 90, "漢字" * 99])
MESSAGES = st.lists(
    st.fixed_dictionaries({"role": st.sampled_from(["user", "system"]), "content": TEXT}),
    max_size=12,
)


@settings(deadline=None)
@given(MESSAGES, st.sampled_from(["gpt-4o", "gpt-4", "claude-x"]))
def test_no_prompt_is_longer(messages: list[dict[str, Any]], model: str) -> None:
    """A conversation has no more tokens than the bytes of its JSON, and a template's."""
    body = json.dumps({"model": model, "messages": messages}, ensure_ascii=False).encode()
    assert upper_estimate(len(body)) >= count_messages(messages, model)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"body_bytes": 0}, TEMPLATE),
        ({"body_bytes": 100}, 100 + TEMPLATE),
        ({"body_bytes": 1000, "media_bytes": 900}, 100 + TEMPLATE),
        ({"body_bytes": 10, "media_bytes": 20}, TEMPLATE),
        (
            {"body_bytes": 1000, "media_bytes": 900, "images": 2, "model": "gpt-4o"},
            100 + 2 * image_ceiling("gpt-4o") + TEMPLATE,
        ),
    ],
)
def test_arithmetic(arguments: dict[str, Any], expected: int) -> None:
    """Media are billed by their size in pixels, not by their bytes."""
    assert upper_estimate(**arguments) == expected
