"""The records of the configuration, by the names that the rest of the package uses."""

from llmitm.config.access import AccessPolicy, ModelParams, Param, Params
from llmitm.config.address import Address
from llmitm.config.cache import Cache
from llmitm.config.gateway import (
    AddonEntry,
    Gateway,
    Http,
    Inspector,
    Intercept,
    Listen,
    Store,
    Tls,
)
from llmitm.config.keys import Key, Team, User
from llmitm.config.limits import Budget, LimitPolicy, Limits, ModelScope, RouteScope, Scope
from llmitm.config.logging import Content, Logging
from llmitm.config.policies import Policies
from llmitm.config.prices import Price
from llmitm.config.providers import Api, Provider
from llmitm.config.resilience import CircuitBreaker, HealthCheck, Hold, Resilience, Retry, Timeouts
from llmitm.config.routes import Route, Sticky, Strategy
from llmitm.config.secret import Secret

__all__ = [
    "AccessPolicy",
    "AddonEntry",
    "Address",
    "Api",
    "Budget",
    "Cache",
    "CircuitBreaker",
    "Content",
    "Gateway",
    "HealthCheck",
    "Hold",
    "Http",
    "Inspector",
    "Intercept",
    "Key",
    "LimitPolicy",
    "Limits",
    "Listen",
    "Logging",
    "ModelParams",
    "ModelScope",
    "Param",
    "Params",
    "Policies",
    "Price",
    "Provider",
    "Resilience",
    "Retry",
    "Route",
    "RouteScope",
    "Scope",
    "Secret",
    "Sticky",
    "Store",
    "Strategy",
    "Team",
    "Timeouts",
    "Tls",
    "User",
]
