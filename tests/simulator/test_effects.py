"""What faults do to a reply, without a wire."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmitm.simulator.faults import FAULTS, parse
from llmitm.simulator.reply import Break, Event, Mark, Pause, Reply

START, FINISH, END = (Mark.START, b"s"), (Mark.FINISH, b"f"), (Mark.END, b"e")


def steps(tokens: int) -> list[Event]:
    return [START, *[(Mark.TOKEN, b"%d" % n) for n in range(tokens)], FINISH, END]


@given(st.integers(0, 9), st.integers(0, 9), st.sampled_from(["cut", "reset-mid", "stall"]))
def test_break_comes_after_so_many_tokens(tokens: int, after: int, fault: str) -> None:
    """Everything before the break is as it was, and so is everything after it."""
    spoilt = parse(f"{fault}:after={after}").apply(Reply("openai", steps=steps(tokens)))
    made = list(spoilt.steps or ())
    (at,) = [place for place, step in enumerate(made) if isinstance(step, Break)]
    assert at == 1 + min(after, tokens)
    assert made[:at] + made[at + 1 :] == steps(tokens)


def test_slow_first_token_waits_after_the_start() -> None:
    """The pause stands between the first events and the first token."""
    spoilt = parse("slow-first-token:first-token=7").apply(Reply("openai", steps=steps(1)))
    assert list(spoilt.steps or ())[:3] == [START, Pause(7), (Mark.TOKEN, b"0")]
    whole = parse("slow-first-token:first-token=7").apply(Reply("openai", b"{}"))
    assert (whole.before, whole.body) == ((Pause(7),), b"{}")


@pytest.mark.parametrize(("fault", "left"), [("no-done", [START, FINISH]), ("no-finish", [START])])
def test_marks_are_left_out(fault: str, left: list[Event]) -> None:
    """Only the marks are gone."""
    assert list(parse(fault).apply(Reply("openai", steps=steps(0))).steps or ()) == left


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("dialect", ["openai", "responses", "anthropic", "ollama", "realtime"])
def test_every_fault_takes_every_reply(name: str, dialect: str) -> None:
    """No fault fails on a stream without tokens, or on an empty body."""
    for reply in Reply(dialect), Reply(dialect, steps=()), Reply(dialect, steps=[FINISH]):
        spoilt = parse(name).apply(reply)
        assert spoilt.steps is None or isinstance(list(spoilt.steps), list)
