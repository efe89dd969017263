"""Which fault a request gets: header first, then the model's name, then the default."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from llmitm.simulator.fault import Fault
from llmitm.simulator.faults import FAULTS, OK, parse

_PREFILL = "+prefill"


def wants_prefill(model: str) -> bool:
    """Whether a model's name asks for an assistant message to be continued."""
    return model.endswith(_PREFILL) or model.partition("@")[0].endswith(_PREFILL)


def spec_of(model: str) -> str:
    """The fault in a model's name, `anything@FAULT` or `sim-FAULT`; empty where there is none."""
    base, at, spec = model.removesuffix(_PREFILL).partition("@")
    if at:
        return spec
    name = base.removeprefix("sim-")
    known = name != base and name.partition(":")[0] in FAULTS
    return name if known else ""


class Selection:
    """The default fault, and how often each fault was asked for."""

    def __init__(self) -> None:
        self._default = OK
        self._asked: Counter[tuple[str, ...]] = Counter()

    @property
    def default(self) -> str | None:
        return self._default.spec or None

    @default.setter
    def default(self, spec: str | None) -> None:
        self._default = parse(spec) if spec else OK
        self._asked.pop(("default", self._default.spec), None)

    def pick(self, header: str | None, model: str) -> Fault:
        """The fault of this request. Raises UnknownFault.

        Outside of `skip` and `times` it is no fault, with the same other parameters.
        """
        if header:
            return self._turn(parse(header), "header", header)
        if spec := spec_of(model):
            return self._turn(parse(spec), "model", model)
        return self._turn(self._default, "default", self._default.spec)

    def reset(self) -> None:
        """Forgets the default and every count."""
        self._default = OK
        self._asked.clear()

    def _turn(self, fault: Fault, *key: str) -> Fault:
        if fault.params.keys().isdisjoint(("times", "skip")):
            return fault
        self._asked[key] += 1
        first = fault.whole("skip")
        last = first + fault.number("times", float("inf"))
        if first < self._asked[key] <= last:
            return fault
        return replace(fault, name=OK.name, kind=OK.kind)
