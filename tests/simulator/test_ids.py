"""Ids of replies."""

from llmitm.simulator.ids import new_id


def test_ids_differ() -> None:
    """No two ids are the same, and each has its prefix."""
    ids = {new_id("msg_") for _ in range(1000)}
    assert len(ids) == 1000
    assert all(one.startswith("msg_") and len(one) == 28 for one in ids)
