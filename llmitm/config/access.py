"""`policies/access.yaml`: caps and defaults of request parameters, per model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from pydantic import model_validator

from llmitm.config.glob import matches
from llmitm.config.model import Model
from llmitm.config.problems import Fault
from llmitm.config.values import Glob, ParamNumber

if TYPE_CHECKING:
    from llmitm.config.keys import Key


class Param(Model):
    """One request parameter: its bounds, and what it is where the client gives none."""

    min: ParamNumber | None = None
    max: ParamNumber | None = None
    default: Any = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        low = self.min if self.min is not None else float("-inf")
        high = self.max if self.max is not None else float("inf")
        if low > high:
            raise Fault("min is above max", "swap them")
        if isinstance(self.default, int | float) and not low <= self.default <= high:
            raise Fault("default is outside min and max", "choose one between them")
        return self


Params = dict[str, Param]


class ModelParams(Model):
    """Parameters of the models that match; the first entry that matches counts."""

    model: Glob
    params: Params


class AccessPolicy(Model):
    """Caps and defaults for everyone; a key's own `params` come on top."""

    models: tuple[ModelParams, ...] = ()


def permits(key: Key, model: str) -> bool:
    """Whether a key may ask for `model`."""
    return any(pattern == "*" or matches(pattern, model) for pattern in key.models)
