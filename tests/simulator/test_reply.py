"""What goes on the wire."""

import pytest

from llmitm.simulator.reply import Reply


@pytest.mark.parametrize(
    ("status", "reason"),
    [(200, "OK"), (429, "Too Many Requests"), (529, "Overloaded"), (599, "Error")],
)
def test_reason(status: int, reason: str) -> None:
    """Every status has a reason phrase, those that HTTP does not know too."""
    assert Reply("openai", status=status).reason == reason
