"""What a Claude model accepts shows in its name."""

from __future__ import annotations

import pytest

from llmitm.dialects.claude import takes_effort, takes_sampling


@pytest.mark.parametrize(
    ("model", "sampling", "effort"),
    [
        ("claude-3-5-haiku-20241022", True, False),
        ("claude-3-7-sonnet-latest", True, False),
        ("claude-opus-4-20250514", True, False),
        ("claude-sonnet-4-5-20250929", True, False),
        ("claude-haiku-4-5", True, False),
        ("claude-opus-4-5-20251101", True, True),
        ("claude-sonnet-4-6", True, True),
        ("anthropic.claude-sonnet-4-6-v1:0", True, True),
        ("anthropic/claude-sonnet-4.5", True, False),
        ("claude-opus-4-7", False, True),
        ("claude-opus-4-8", False, True),
        ("claude-mythos-preview", False, True),
        ("claude-sonnet-5", False, True),
        ("claude-opus-5-5", False, True),
        ("some-finetune", True, True),
    ],
)
def test_models(model: str, sampling: bool, effort: bool) -> None:
    """By version, in all the forms that names come in; unknown names are taken for recent."""
    assert (takes_sampling(model), takes_effort(model)) == (sampling, effort)
