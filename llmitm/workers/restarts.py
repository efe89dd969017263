"""When a worker that died is started again. Pure: no clock, no process."""

from __future__ import annotations

from dataclasses import dataclass

STEADY_SECONDS = 10.0  # who served for so long isn't in a crash loop
FIRST_DELAY = 0.25
MOST_DEATHS = 6  # in a row, each soon after the start


@dataclass
class Restarts:
    """The deaths of one worker and of those that took its place."""

    quick: int = 0

    def after(self, served: float) -> float | None:
        """Seconds to wait until the next start; None gives up.

        `served` is how long the worker accepted calls, in seconds.
        """
        self.quick = 0 if served >= STEADY_SECONDS else self.quick + 1
        if self.quick >= MOST_DEATHS:
            return None
        return FIRST_DELAY * 2.0 ** (self.quick - 1) if self.quick else 0.0
