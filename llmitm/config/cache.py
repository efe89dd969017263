"""`cache` of a route in `policies/routes.yaml`: whose answers are kept, how long and how many."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from llmitm.config.model import Model
from llmitm.config.values import Count, PositiveDuration, Size
from llmitm.policy.cache import Sharing


class Cache(Model):
    """Answers of one route that are given again to the same request for `ttl` seconds.

    `scope` is who gets each other's answers. The bounds hold for each route in each process.
    """

    ttl: PositiveDuration
    scope: Sharing = "key"
    max_entries: Count = 1000
    max_bytes: Annotated[Size, Field(gt=0)] = 67_108_864
