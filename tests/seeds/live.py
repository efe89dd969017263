"""The parts of a running gateway that the seeds' functions look at, without the gateway."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from llmitm.config.load import Loaded, load
from llmitm.metrics import Metrics
from llmitm.runtime import Runtime
from llmitm.targets import Targets


def loaded(**env: str) -> Loaded:
    """The configuration that these variables alone make."""
    return load(None, {"HOME": "/home/ava", **env})


def live(configuration: Loaded | None = None, /, *, env: Any = None, **parts: Any) -> Runtime:
    """A runtime of the given configuration, or of no configuration at all."""
    found = configuration or loaded()
    targets = Targets(found.gateway, Metrics())
    targets.circuits.apply(found.policies)
    runtime = SimpleNamespace(
        gateway=found.gateway, policies=found.policies, env=env or {}, targets=targets, **parts
    )
    return cast(Runtime, runtime)
