"""Keeps calls away from targets that fail, and learns from every attempt."""

from __future__ import annotations

from mitmproxy import http

from llmitm.call import Attempt
from llmitm.runtime import runtime


class Breaker:
    def upstream_request(self, flow: http.HTTPFlow, attempt: Attempt) -> None:
        runtime().targets.admit(attempt)

    def upstream_response(self, flow: http.HTTPFlow, attempt: Attempt) -> None:
        runtime().targets.record(attempt)


addons = [Breaker()]
