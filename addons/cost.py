"""What a call cost, from the usage of every attempt that produced something."""

from __future__ import annotations

from decimal import Decimal

from mitmproxy import http

from llmitm.call import call_of
from llmitm.policy.cost import cost
from llmitm.prices import variant_of
from llmitm.runtime import runtime

NANO_USD = Decimal("0.000000001")


class Cost:
    def settle(self, flow: http.HTTPFlow) -> None:
        call = call_of(flow)
        book = runtime().prices
        variant = variant_of(call.body(flow) or {})
        total = None if call.from_cache is None else Decimal(0)
        for attempt in call.attempts:
            if attempt.usage is None:
                continue
            price = book.unit_price(attempt.target.provider, attempt.model, variant=variant)
            if price is None:
                call.cost_usd = None  # part of the price is unknown, so all of it is
                return
            total = (total or Decimal(0)) + cost(attempt.usage, price)
        call.cost_usd = None if total is None else total.quantize(NANO_USD).normalize()


addons = [Cost()]
