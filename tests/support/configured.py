"""Configuration and the live state that goes by it, without files and without a gateway."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmitm.config.policies import Policies
from llmitm.config.resilience import Resilience
from llmitm.config.routes import RoutesFile
from llmitm.config.schema import Gateway
from llmitm.metrics import Metrics
from llmitm.targets import Targets

SIM = {"api": "simulator", "base_url": "http://127.0.0.1:1"}


def gateway_of(providers: Mapping[str, Any]) -> Gateway:
    """The configuration of a gateway with these providers."""
    store = {"ledger": "sqlite:///unused.db", "shared": "memory"}
    return Gateway.model_validate({"providers": dict(providers), "store": store})


def policies_of(*routes: Mapping[str, Any], **resilience: Any) -> Policies:
    """Policies with these routes, as routes.yaml and resilience.yaml have them."""
    base = Resilience.model_validate(resilience)
    entries = RoutesFile.model_validate({"routes": routes}).routes if routes else ()
    return Policies(routes=tuple(entry.route(base) for entry in entries), resilience=base)


def targets_of(policies: Policies | None = None, *providers: str) -> Targets:
    """The targets of a gateway whose providers are all simulators."""
    policies = policies or Policies()
    names = providers or {t.provider for route in policies.routes for t in route.targets}
    targets = Targets(gateway_of(dict.fromkeys(names or ("p",), SIM)), Metrics())
    targets.circuits.apply(policies)
    return targets
