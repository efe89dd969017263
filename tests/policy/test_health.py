"""Who is down, told from health checks."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from llmitm.policy.health import Health

UP, DOWN = True, False


@pytest.mark.parametrize(
    ("checks", "failures", "changes", "down"),
    [
        ([UP, UP], 1, [False, False], False),
        ([DOWN], 1, [True], True),
        ([DOWN], 2, [False], False),
        ([DOWN, DOWN], 2, [False, True], True),
        ([DOWN, UP, DOWN], 2, [False, False, False], False),
        ([DOWN, DOWN, DOWN], 2, [False, True, False], True),
        ([DOWN, DOWN, UP], 2, [False, True, True], False),
        ([DOWN, DOWN, UP, DOWN], 2, [False, True, True, False], False),
    ],
)
def test_learns(checks: Sequence[bool], failures: int, changes: Sequence[bool], down: bool) -> None:
    """So many failures in a row mean that a provider is down, one success that it is not."""
    health = Health()
    assert [health.learn("p", up, failures) for up in checks] == changes
    assert ("p" in health.down) is down


def test_providers_are_told_apart() -> None:
    """One's failures are not another's."""
    health = Health()
    health.learn("p", DOWN, 2)
    health.learn("q", DOWN, 2)
    assert health.down == set()


def test_forgets_who_is_not_checked() -> None:
    """A provider whose checks were turned off is not left out for ever, nor counted on."""
    health = Health()
    for name in ("p", "q"):
        health.learn(name, DOWN, 1)
    health.forget_others({"q"})
    assert health.down == {"q"}
    assert not health.learn("p", DOWN, 2)
