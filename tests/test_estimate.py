"""What a call may use, before it is sent."""

from __future__ import annotations

from typing import Any

import pytest

from llmitm import estimate, tokens
from tests.support.stage import call_and_flow

PICTURE = "data:image/png;base64," + "A" * 100_000


def chat(content: Any, **extra: Any) -> dict[str, Any]:
    return {"model": "gpt-4o", "messages": [{"role": "user", "content": content}], **extra}


def with_picture() -> dict[str, Any]:
    return chat([{"type": "image_url", "image_url": {"url": PICTURE}}])


@pytest.mark.parametrize(
    "content", ["hi", "hello " * 2000, "日本語" * 500, "\u200b" * 300, "a" * 5000, ""]
)
async def test_no_prompt_has_more_tokens(content: str) -> None:
    """The bound by bytes, the closer one, and the count are in this order."""
    call, flow = call_and_flow(body=chat(content))
    counted = await estimate.count_prompt(flow, call)
    assert counted == call.prompt_estimate
    closer = await estimate.careful_prompt_bound(flow, call)
    assert counted <= closer <= estimate.prompt_bound(flow, call)


async def test_pictures_are_billed_by_their_size() -> None:
    """Not by the bytes of their base64; a closer count has nothing to add."""
    call, flow = call_and_flow(body=with_picture())
    bound = estimate.prompt_bound(flow, call)
    assert tokens.image_ceiling("gpt-4o") < bound < 10_000
    assert await estimate.careful_prompt_bound(flow, call) == bound


@pytest.mark.parametrize(
    ("extra", "bound"),
    [
        ({}, 100),
        ({"max_tokens": 7}, 7),
        ({"n": 3}, 300),
        ({"max_completion_tokens": 7, "n": 3}, 21),
    ],
)
def test_output(extra: dict[str, Any], bound: int) -> None:
    """What the request allows, or the default, for each of its answers."""
    call, _ = call_and_flow(body=chat("hi"))
    assert estimate.output_bound(call, chat("hi", **extra), 100) == bound


@pytest.mark.parametrize(
    ("body", "hidden"),
    [
        ({"input": "hi"}, False),
        ({"input": "hi", "previous_response_id": "resp_1"}, True),
        ({"input": "hi", "conversation": {"id": "conv_1"}}, True),
        ({"input": "hi", "previous_response_id": None}, False),
    ],
)
def test_hidden_prompts(body: dict[str, Any], hidden: bool) -> None:
    """What the provider keeps and puts in front isn't in the request."""
    assert estimate.has_hidden_prompt(body) is hidden
