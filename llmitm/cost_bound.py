"""The most that a call can cost, known before it is sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mitmproxy import http

from llmitm import dialects, estimate
from llmitm.call import Call, Target
from llmitm.errors import Cause, GatewayError
from llmitm.policy.cost import UnitPrice, nano_usd, worst_case
from llmitm.prices import PriceBook, possible_variants

# What the providers make no charge for.
UNCHARGED = frozenset({"models", "files", "count_tokens", "show", "version", "ps", "root"})
READING = frozenset({"GET", "HEAD", "DELETE", "OPTIONS"})
# The prompt that a provider keeps may fill a target's context; of one that isn't stated, so much.
USUAL_CONTEXT = 200_000


@dataclass(frozen=True, slots=True)
class CostBound:
    """Prices by target, and what is known of a request. `prompt` and `output` are tokens."""

    prices: Mapping[str, tuple[UnitPrice, ...]]
    prompt: int
    output: int
    hidden: int
    cache_write: bool
    audio: bool

    def of_call(self, prompt: int | None = None) -> int:
        """Billionths of a dollar for the dearest target, with a closer bound of the prompt."""
        prices = [price for known in self.prices.values() for price in known]
        return self._most(prices, self.prompt if prompt is None else prompt)

    def of_resumption(self, target: Target) -> int:
        """What it may cost that `target` goes on with an answer: the prompt again, and the text."""
        return self._most(self.prices[target.name], self.prompt + self.output)

    def _most(self, prices: Iterable[UnitPrice], prompt: int) -> int:
        tokens = prompt + self.hidden
        return nano_usd(
            max(
                worst_case(
                    price, tokens, self.output, cache_write=self.cache_write, audio=self.audio
                )
                for price in prices
            )
        )


def cost_bound(
    flow: http.HTTPFlow, call: Call, book: PriceBook, default_output: int
) -> CostBound | None:
    """The bound of a call that costs something, None for one that doesn't.

    A request that states no maximum of output is given `default_output`. Raises GatewayError
    where no bound is known: a target has no price, or the operation isn't priced by the token.
    """
    if call.operation in UNCHARGED:
        return None
    if flow.request.method in READING and call.operation != "realtime":
        return None
    body = call.body(flow) or {}
    prices = _prices(call, book, body)
    if all(price.is_free for known in prices.values() for price in known):
        return None
    if call.operation not in estimate.COUNTED:
        raise GatewayError(
            Cause.PERMISSION,
            f"What a call of {call.path} costs isn't known before, so a key with a budget can't "
            "make it, unless policies/prices.yaml prices the model at 0.",
            code="cost_unknown",
        )
    if dialects.max_output(call.dialect, call.operation, body) is None:
        changes = dialects.limited(call.dialect, call.operation, body, default_output)
        call.edit(flow, changes or {})
    raw = flow.request.raw_content or b""
    return CostBound(
        prices=prices,
        prompt=estimate.prompt_bound(flow, call),
        output=estimate.output_bound(call, body, default_output),
        hidden=_hidden(call) if estimate.has_hidden_prompt(body) else 0,
        cache_write=b"cache_control" in raw,
        audio=b"audio" in raw,
    )


def _hidden(call: Call) -> int:
    return max(target.context or USUAL_CONTEXT for target in call.plan)


def _prices(
    call: Call, book: PriceBook, body: Mapping[str, Any]
) -> dict[str, tuple[UnitPrice, ...]]:
    variants = possible_variants(body)
    found: dict[str, tuple[UnitPrice, ...]] = {}
    for target in call.plan:
        model = target.model_for(call.model or "*")
        known = [book.unit_price(target.provider, model, variant=v) for v in variants]
        prices = tuple(price for price in known if price is not None)
        if len(prices) < len(known):
            raise GatewayError(
                Cause.PERMISSION,
                f"The price of {model!r} at {target.provider} isn't known, so a key with a budget "
                "can't call it. State it in policies/prices.yaml; 0 is a price too.",
                param="model",
                code="model_not_priced",
            )
        found[target.name] = prices
    return found
