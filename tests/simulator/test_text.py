"""The words of the simulator and how it counts them."""

from hypothesis import given
from hypothesis import strategies as st

from llmitm.simulator.text import count, digest, pieces, prose

keys = st.integers(0, 2**64 - 1)


@given(st.text())
def test_pieces_join_to_the_text(text: str) -> None:
    """Nothing of a text is lost when it is cut into tokens."""
    assert "".join(pieces(text)) == text
    assert count(text) == len(pieces(text))


@given(keys, st.integers(0, 200))
def test_prose_is_counted_as_it_is_said(key: int, length: int) -> None:
    """A generated text has as many tokens as were asked for, and the same ones when cut again."""
    said = prose(key, length)
    assert list(said) == pieces("".join(said))
    assert len(said) == length


@given(keys, st.integers(0, 50), st.integers(0, 50))
def test_short_prose_starts_long_prose(key: int, short: int, more: int) -> None:
    """A text that is cut by a limit is the start of the whole one."""
    assert prose(key, short + more)[:short] == prose(key, short)


def test_digest_ignores_white_space_only() -> None:
    """White space does not change an answer; words, roles, seed and choice do."""
    same = digest(0, [("user", "Hi there")])
    assert digest(0, [("user", " Hi\n there ")]) == same
    others = [
        digest(1, [("user", "Hi there")]),
        digest(0, [("user", "Hi there")], choice=1),
        digest(0, [("system", "Hi there")]),
        digest(0, [("user", "Hithere")]),
        digest(0, [("user", "Hi"), ("user", "there")]),
    ]
    assert len({same, *others}) == 6
