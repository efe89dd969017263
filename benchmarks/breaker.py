"""What the circuit breaker costs a call: nanoseconds per check and record.

Run it as a script. Each line is the best of several rounds, timeit's own advice.
"""

from __future__ import annotations

import timeit
from collections.abc import Callable
from time import monotonic

from llmitm.policy.breaker import Breaker
from llmitm.policy.outcome import Outcome

NUMBER = 100_000
ROUNDS = 5


def closed_check() -> Callable[[], object]:
    breaker = Breaker()
    return lambda: breaker.admit(1.0)


def closed_call(outcome: Outcome) -> Callable[[], object]:
    """Check, call, record; the clock is read twice, as a caller has to."""
    breaker = Breaker()

    def call() -> None:
        started = monotonic()
        admission = breaker.admit(started)
        assert admission is not None
        now = monotonic()
        breaker.record(admission, outcome, now, now - started)

    return call


def open_check() -> Callable[[], object]:
    breaker = Breaker()
    breaker.force_open(0.0)
    return lambda: breaker.admit(1.0)


def cooling_check() -> Callable[[], object]:
    breaker = Breaker()
    breaker.cooldown(2.0)
    return lambda: breaker.admit(1.0)


CASES: dict[str, Callable[[], object]] = {
    "closed: check": closed_check(),
    "closed: check + record a success": closed_call(Outcome.SUCCESS),
    "closed: check + record a client error": closed_call(Outcome.CLIENT_ERROR),
    "open: refusal": open_check(),
    "cooldown: refusal": cooling_check(),
}


def nanoseconds(case: Callable[[], object]) -> float:
    return min(timeit.repeat(case, number=NUMBER, repeat=ROUNDS)) / NUMBER * 1e9


if __name__ == "__main__":
    for name, case in CASES.items():
        print(f"{name:40} {nanoseconds(case):7.0f} ns")
