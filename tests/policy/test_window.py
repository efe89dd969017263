from hypothesis import given
from hypothesis import strategies as st

from llmitm.policy.window import SLOTS, Window

# Quarter seconds and a slot of one second: every time below is exact in binary.
STEPS = st.lists(st.tuples(st.integers(0, 20), st.booleans()), max_size=60)


@given(STEPS)
def test_counts(steps: list[tuple[int, bool]]) -> None:
    """Counts the events whose slot is one of the last `SLOTS`."""
    window, now = Window(float(SLOTS)), 100.0
    events: list[tuple[float, bool]] = []
    for quarters, failed in steps:
        now += quarters / 4
        window.add(now, failed)
        events.append((now, failed))
        recent = [bad for at, bad in events if int(at) > int(now) - SLOTS]
        assert window.counts(now) == (recent.count(False), recent.count(True))


def test_forgets() -> None:
    """Is empty again once the window has passed, without another event."""
    window = Window(10.0)
    window.add(0.0, failed=True)
    assert window.counts(9.75) == (0, 1)
    assert window.counts(10.0) == (0, 0)


def test_bounded() -> None:
    """Keeps a bounded number of slots, whatever the traffic."""
    window = Window(10.0)
    for tick in range(5000):
        window.add(tick / 16, failed=False)
    assert len(window._past) <= SLOTS


def test_resize_keeps_what_is_inside() -> None:
    """A shorter window drops what it no longer covers, a longer one keeps everything."""
    window = Window(20.0)
    window.add(0.0, failed=True)
    window.add(16.0, failed=False)
    window.resize(40.0, 18.0)
    assert window.counts(18.0) == (1, 1)
    window.resize(5.0, 18.0)
    assert window.counts(18.0) == (1, 0)
