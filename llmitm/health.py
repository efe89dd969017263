"""Asks providers now and then whether they are there, where `health_check` is set.

Calls tell of a provider's failure too, but each such call is one that waits; and a provider that
gets no calls since it failed is found again without giving it one. No check spends a token.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable, Mapping

from llmitm.config.schema import HealthCheck, Policies, Route
from llmitm.probe import probe
from llmitm.runtime import Runtime

logger = logging.getLogger(__name__)

TICK_SECONDS = 0.25  # within which an edit of the policies is followed


class HealthChecks:
    """The checks of one process."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._policies: Policies | None = None
        self._wanted: Mapping[str, HealthCheck] = {}
        self._due: dict[str, float] = {}
        self._asking: set[str] = set()

    async def run(self) -> None:
        """Check whoever is due, until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                self._follow()
                now = time.monotonic()
                for provider, check in self._wanted.items():
                    if now >= self._due.get(provider, 0.0) and provider not in self._asking:
                        self._due[provider] = now + check.every
                        self._asking.add(provider)
                        group.create_task(self._check(provider, check))
                await asyncio.sleep(TICK_SECONDS)

    def _follow(self) -> None:
        policies = self._runtime.policies
        if policies is not self._policies:
            self._policies, self._wanted = policies, wanted(policies.routes)
            self._runtime.targets.health.forget_others(self._wanted)

    async def _check(self, provider: str, check: HealthCheck) -> None:
        runtime = self._runtime
        targets, configured = runtime.targets, runtime.gateway.providers[provider]
        url = targets.base_url(provider)
        try:
            reached = await probe(runtime.upstream, configured, url, check.timeout)
        finally:
            self._asking.discard(provider)
        if provider not in self._wanted:
            return
        # A key that may not list the models may still ask them.
        up = reached.status is not None and reached.status < 500
        result = "success" if up else "failure"
        runtime.metrics["llmitm_health_checks_total"].at(provider, result).inc()
        if targets.health.learn(provider, up, check.failures):
            why = "answers again" if up else f"is down: {reached.fault or reached.status}"
            logger.log(logging.INFO if up else logging.WARNING, "provider %s %s", provider, why)
        down = provider in targets.health.down
        runtime.metrics["llmitm_provider_up"].at(provider).set(not down)


def wanted(routes: Iterable[Route]) -> dict[str, HealthCheck]:
    """The check of each provider: of several routes' the most frequent."""
    found: dict[str, HealthCheck] = {}
    for route in routes:
        check = route.resilience.health_check
        for target in route.targets if check is not None else ():
            known = found.get(target.provider)
            if check is not None and (known is None or check.every < known.every):
                found[target.provider] = check
    return found
