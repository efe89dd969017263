"""What a call cost: every attempt that produced something, or nothing where a price is unknown."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from addons.cost import Cost
from llmitm.call import Attempt, FromCache, Target, Usage, call_of
from tests.support.stage import URL, Stage, flow_of

PROVIDERS: dict[str, Any] = {
    name: {"api": "openai", "base_url": f"{URL}/v1"} for name in ("dear", "cheap", "odd")
}
PRICES = {
    "prices": [
        {"provider": "dear", "model": "*", "input_per_million": 10, "output_per_million": 30},
        {"provider": "cheap", "model": "*", "input_per_million": 1, "output_per_million": 3},
    ]
}


def attempt(provider: str, usage: Usage | None, model: str = "some-model") -> Attempt:
    return Attempt(Target(provider), 1, model, usage=usage)


USED = Usage(prompt_tokens=1000, completion_tokens=100)


@pytest.mark.parametrize(
    ("attempts", "expected"),
    [
        ([], None),
        ([attempt("dear", None)], None),
        ([attempt("dear", USED)], "0.013"),
        ([attempt("dear", None), attempt("cheap", USED)], "0.0013"),
        ([attempt("dear", Usage(1000, 10)), attempt("cheap", USED)], "0.0116"),
        ([attempt("odd", USED)], None),
        ([attempt("dear", USED), attempt("odd", USED)], None),
        ([attempt("odd", None), attempt("cheap", USED)], "0.0013"),
        ([attempt("cheap", Usage())], "0"),
    ],
)
def test_cost(stage: Stage, attempts: list[Attempt], expected: str | None) -> None:
    """The sum over the attempts with usage, exact; unknown where one of their prices is."""
    routes = {"routes": [{"model": "*", "targets": [{"provider": "dear"}]}]}
    stage.configure({"routes": routes, "prices": PRICES}, {"providers": PROVIDERS})
    flow = flow_of(body={"model": "some-model"})
    call = call_of(flow)
    call.attempts.extend(attempts)
    Cost().settle(flow)
    assert call.cost_usd == (None if expected is None else Decimal(expected))


def test_kept_answers_are_free(stage: Stage) -> None:
    """A call answered from the cache cost nothing, which is known."""
    flow = flow_of(body={"model": "some-model"})
    call_of(flow).from_cache = FromCache(Target("dear", "some-model"), 1.5)
    Cost().settle(flow)
    assert call_of(flow).cost_usd == 0


def test_what_the_request_chose(stage: Stage) -> None:
    """A service tier has its own price."""
    stage.configure(
        {"routes": {"routes": [{"model": "*", "targets": [{"provider": "openai"}]}]}},
        {"providers": {"openai": {"api": "openai", "api_key": "x"}}},
    )
    costs = []
    for tier in ("default", "flex"):
        flow = flow_of(body={"model": "gpt-5", "service_tier": tier})
        call_of(flow).attempts.append(attempt("openai", USED, "gpt-5"))
        Cost().settle(flow)
        costs.append(call_of(flow).cost_usd)
    assert costs[0] is not None and costs[1] is not None
    assert costs[1] < costs[0]
