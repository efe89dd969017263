"""One fault, as a request or an operator asked for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from llmitm.simulator.reply import Reply

type Value = float | str | None
type Effect = Callable[[Reply, Fault], Reply]


@dataclass(frozen=True, slots=True)
class Kind:
    """A row of the table of faults. `params` are its own parameters and their defaults.

    `effect` edits the reply; `filters` ends the answer early with the dialect's content
    filter as the reason, `refuses_prefill` turns an assistant message given last down.
    """

    about: str
    effect: Effect | None = None
    params: Mapping[str, Value] = field(default_factory=dict)
    filters: bool = False
    refuses_prefill: bool = False


@dataclass(frozen=True, slots=True)
class Fault:
    """A kind of fault with its parameters. `spec` is the text that asked for it."""

    name: str
    kind: Kind
    params: Mapping[str, Value] = field(default_factory=dict)
    spec: str = ""

    def number(self, param: str, default: float = 0.0) -> float:
        """The value of a parameter, `default` where it was not given."""
        value = self.params.get(param)
        return value if isinstance(value, int | float) else default

    def whole(self, param: str, default: int = 0) -> int:
        return int(self.number(param, default))

    def apply(self, reply: Reply) -> Reply:
        """`reply` as this fault spoils it."""
        return self.kind.effect(reply, self) if self.kind.effect else reply
