"""Completing token counts: the provider's where it reports them, else ours, marked estimated."""

from __future__ import annotations

from typing import Any

import pytest

from addons.token_count import TokenCount
from llmitm.call import Attempt, Call, Target, Usage, call_of
from tests.support.stage import flow_of

BODY = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hello world"}]}
PROMPT = 9  # tokens of BODY, by OpenAI's rule: 3 a message, 1 for its role, 2 of text, 3 to prime


def attempt(**fields: Any) -> Attempt:
    made = Attempt(Target("openai"), 1, "gpt-4o", status=200)
    for name, value in fields.items():
        setattr(made, name, value)
    return made


async def settled(*attempts: Attempt, path: str = "/v1/chat/completions", **more: Any) -> Call:
    flow = flow_of(path, BODY, **more)
    call = call_of(flow)
    call.attempts.extend(attempts)
    await TokenCount().settle(flow)
    return call


async def test_the_providers_count_wins() -> None:
    """What the provider reports is kept as it is."""
    call = await settled(attempt(usage=Usage(11, 5), produced="something else"))
    assert call.usage == Usage(11, 5)


async def test_counted_here() -> None:
    """An answer without a usage is counted, and marked."""
    call = await settled(attempt(produced="hello world"))
    assert call.usage == Usage(PROMPT, 2, estimated=True)


async def test_a_prompt_that_nobody_counted() -> None:
    """A provider that reports only what it wrote has read a prompt all the same."""
    call = await settled(attempt(usage=Usage(0, 1), produced="hello world"))
    assert call.usage == Usage(PROMPT, 1, estimated=True)


async def test_an_answer_of_nothing() -> None:
    """A prompt that was answered with nothing was read all the same."""
    call = await settled(attempt())
    assert call.usage == Usage(PROMPT, 0, estimated=True)


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        (Usage(11, 0), Usage(11, 2, estimated=True)),  # Anthropic tells the prompt first
        (Usage(11, 7), Usage(11, 7, estimated=True)),  # cumulative, and further than the text
        (Usage(11, 1, cached_tokens=8), Usage(11, 2, cached_tokens=8, estimated=True)),
        (None, Usage(PROMPT, 2, estimated=True)),
    ],
)
async def test_a_stream_that_broke_off(known: Usage | None, expected: Usage) -> None:
    """What had come is billed: at least what the provider said, and what was delivered."""
    broken = attempt(usage=known, produced="hello world", error="stream_cut")
    call = await settled(broken)
    assert broken.usage == expected
    assert call.usage == expected


async def test_attempts_that_gave_nothing() -> None:
    """A refusal, a timeout or a connection that never stood used nothing."""
    silent = attempt(status=None, error="first_token_timeout")
    refused = attempt(status=503, error="server_error")
    call = await settled(silent, refused)
    assert (silent.usage, refused.usage, call.usage) == (None, None, None)


async def test_every_attempt_is_completed() -> None:
    """The first one's part is counted for its cost, the last one's is the call's usage."""
    first = attempt(produced="hello", error="stream_cut")
    call = await settled(first, attempt(usage=Usage(20, 4)))
    assert first.usage == Usage(PROMPT, 1, estimated=True)
    assert call.usage == Usage(20, 4)


async def test_what_is_known_stays() -> None:
    """A usage that the engine has put together is not replaced."""
    flow = flow_of(body=BODY)
    call = call_of(flow)
    call.usage = Usage(1, 1)
    call.attempts.append(attempt(usage=Usage(2, 2)))
    await TokenCount().settle(flow)
    assert call.usage == Usage(1, 1)


@pytest.mark.parametrize("path", ["/v1/files", "/v1/images/generations", "/v1/models"])
async def test_other_operations_use_no_tokens(path: str) -> None:
    """Files, images and lists aren't counted."""
    call = await settled(attempt(), path=path)
    assert call.usage is None
