"""Which providers are down, told from their answers to health checks."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field


@dataclass(slots=True)
class Health:
    """`down` holds the providers that failed so many checks in a row that they are left alone."""

    down: set[str] = field(default_factory=set)
    _failures: dict[str, int] = field(default_factory=dict)

    def learn(self, provider: str, up: bool, failures: int) -> bool:
        """Take note of a check; whether the provider went down, at `failures` in a row, or up."""
        count = self._failures[provider] = 0 if up else self._failures.get(provider, 0) + 1
        if up and provider in self.down:
            self.down.discard(provider)
            return True
        if count >= failures and provider not in self.down:
            self.down.add(provider)
            return True
        return False

    def forget_others(self, checked: Container[str]) -> None:
        """Providers that are not checked any more are not known to be down."""
        self.down = {name for name in self.down if name in checked}
        self._failures = {n: count for n, count in self._failures.items() if n in checked}
