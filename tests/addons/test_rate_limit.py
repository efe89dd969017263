"""Limits of a single call: what is reserved, what a refusal says, what is given back."""

from __future__ import annotations

import time
from typing import Any

import pytest

from addons.rate_limit import RateLimit, limits_of, tokens_of
from llmitm.call import Usage, call_of
from llmitm.errors import Cause, GatewayError, render
from llmitm.scopes import Scopes
from llmitm.stores.accounts import AccountStore
from llmitm.tokens import TEMPLATE
from tests.support.gateway import KEY
from tests.support.stage import Stage, flow_of

HELLO = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


def configured(stage: Stage, **limits: Any) -> RateLimit:
    keys = [{"id": "dev", "key": KEY, "limits": limits}]
    store = AccountStore(time.monotonic)
    stage.configure({"keys": {"keys": keys}}, limits=store, scopes=Scopes())
    return RateLimit()


def flow(stage: Stage, body: Any = HELLO, path: str = "/v1/chat/completions") -> Any:
    made = flow_of(path, body, who=stage.key())
    call_of(made).model = "m"
    return made


async def left(stage: Stage) -> dict[str, int]:
    limits = limits_of(call_of(flow(stage)))
    levels = [await stage.runtime.limits.level(limit) for limit in limits]
    return {a.kind.value: a.amount - b.spent for a, b in zip(limits, levels, strict=True)}


async def refused(addon: RateLimit, stage: Stage, body: Any = HELLO) -> GatewayError:
    with pytest.raises(GatewayError) as caught:
        await addon.request(flow(stage, body))
    assert caught.value.cause is Cause.RATE_LIMITED
    return caught.value


async def test_a_refused_call_counts_for_its_route(stage: Stage) -> None:
    """The log and the metrics of a refused call name the route that it was for."""
    addon = configured(stage, requests_per_minute=1)
    calls = [flow(stage) for _ in range(2)]
    await addon.request(calls[0])
    with pytest.raises(GatewayError):
        await addon.request(calls[1])
    assert {call_of(call).route for call in calls} == {"*"}


@pytest.mark.parametrize(
    ("limits", "body", "said"),
    [
        ({"requests_per_minute": 1}, HELLO, "key dev reached: 1 requests per minute. Try again in"),
        ({"concurrent": 1}, HELLO, "at the same time: the limit of key dev is 1"),
        ({"tokens_per_day": 60}, {**HELLO, "max_tokens": 50}, "60 tokens per day"),
        ({"tokens_per_minute": 60}, {**HELLO, "max_tokens": 99}, "may use 107 tokens"),
    ],
    ids=["requests", "concurrent", "tokens", "too large"],
)
async def test_refusals(stage: Stage, limits: Any, body: Any, said: str) -> None:
    """The message names the limit and what to do, the metric its scope and kind."""
    addon = configured(stage, **limits)
    if "may use" not in said:
        await addon.request(flow(stage, body))
    error = await refused(addon, stage, body)
    assert said in error.message
    kind = {"requests": "requests", "concurrent": "concurrent"}.get(
        next(iter(limits)).split("_")[0], "tokens"
    )
    assert stage.runtime.metrics["llmitm_rate_limited_total"].at("key", kind)._value.get() == 1
    _, headers, _ = render(error, "openai")
    timed = "Try again in" in said or "per day" in said
    assert ("retry-after" in headers) is timed
    assert ("x-should-retry" in headers) is ("may use" in said)


@pytest.mark.parametrize(
    ("extra", "limit", "output"),
    [
        ({"max_tokens": 100}, 10_000, 100),
        ({}, 10_000, 2500),
        ({}, 1_000_000, 4096),
        ({"max_tokens": 100, "n": 3}, 10_000, 300),
    ],
    ids=["stated", "a quarter", "likely", "choices"],
)
async def test_reserved_tokens(stage: Stage, extra: Any, limit: int, output: int) -> None:
    """A token for each byte of the prompt, and the most output."""
    configured(stage, tokens_per_minute=limit)
    made = flow(stage, {**HELLO, **extra})
    call = call_of(made)
    prompt = len(made.request.raw_content) + TEMPLATE
    assert await tokens_of(made, call, limits_of(call)) == prompt + output


async def test_counted_where_the_bound_is_too_much(stage: Stage) -> None:
    """What fits is not refused for its bytes."""
    configured(stage, tokens_per_minute=150)
    made = flow(stage, {**HELLO, "max_tokens": 100})
    call = call_of(made)
    assert await tokens_of(made, call, limits_of(call)) == 100 + 8


async def test_headers_of_a_call_that_never_asked(stage: Stage) -> None:
    """Who is refused, or answered, before the limits are asked hears of them and uses nothing."""
    addon = configured(stage, requests_per_minute=5, tokens_per_minute=900, concurrent=2)
    before = await left(stage)
    made = flow(stage)
    await addon.settle(made)
    headers = call_of(made).reply_headers
    assert headers["x-ratelimit-remaining-requests"] == "5"
    assert headers["x-ratelimit-remaining-tokens"] == "900"
    assert await left(stage) == before


async def test_headers_stay_as_they_were_when_asked(stage: Stage) -> None:
    """A reply says what was left when its call began."""
    addon = configured(stage, requests_per_minute=5)
    first, second = flow(stage), flow(stage)
    call_of(second).request_id = "req_2"
    for made in (first, second):
        await addon.request(made)
    await addon.settle(first)
    assert call_of(first).reply_headers["x-ratelimit-remaining-requests"] == "4"


async def test_settled_for_what_was_used(stage: Stage) -> None:
    """Tokens become those of the answer, the slot is free, the request stays used."""
    addon = configured(stage, requests_per_minute=5, tokens_per_minute=10_000, concurrent=2)
    made = flow(stage)
    await addon.request(made)
    assert (await left(stage))["concurrent"] == 1
    assert call_of(made).reply_headers["x-ratelimit-remaining-requests"] == "4"
    call_of(made).usage = Usage(8, 20)
    for _ in range(2):
        await addon.call_end(made)
    assert await left(stage) == {"requests": 4, "tokens": 9972, "concurrent": 2}


async def test_a_call_that_the_budget_refused_uses_nothing(stage: Stage) -> None:
    """All of it is given back."""
    addon = configured(stage, requests_per_minute=5, tokens_per_minute=10_000, concurrent=2)
    made = flow(stage)
    await addon.request(made)
    call_of(made).error = GatewayError(Cause.BUDGET_EXHAUSTED, "no")
    await addon.call_end(made)
    assert await left(stage) == {"requests": 5, "tokens": 10_000, "concurrent": 2}


async def test_who_has_no_limits_is_not_looked_up(stage: Stage) -> None:
    """Nothing is taken and nothing said; nor for calls that are answered or nobody's."""
    addon = configured(stage)
    made = flow(stage)
    await addon.request(made)
    assert call_of(made).reply_headers == {}
    call_of(made).principal = None
    await addon.request(made)
    await addon.call_end(made)
    await addon.done()
