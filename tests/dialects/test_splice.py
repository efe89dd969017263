import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmitm.dialects.splice import Seam, Splice


def feed(joint, text, sizes):
    parts, at = [], 0
    for size in [*sizes, len(text)]:
        parts.append(joint.feed(text[at : at + size]))
        at += size
    return "".join(part or "" for part in parts)


sizes = st.lists(st.integers(0, 5), max_size=20)
texts = st.text(alphabet="ab \n", max_size=20)


@given(texts, texts, sizes)
def test_a_restarted_text_goes_on_where_the_first_broke_off(delivered, rest, cuts):
    """What the client has is swallowed, however the new stream is cut."""
    splice = Splice(delivered)
    assert feed(splice, delivered + rest, cuts) == rest
    assert splice.matched
    assert not splice.diverged


@given(texts, texts, sizes)
def test_a_splice_gives_only_what_continues_the_delivered_text(delivered, text, cuts):
    """Nothing comes of a text that differs, or ends early."""
    splice = Splice(delivered)
    new = feed(splice, text, cuts)
    if text.startswith(delivered):
        assert new == text[len(delivered) :]
    else:
        assert new == ""
        assert not splice.matched
        assert splice.diverged is not delivered.startswith(text)


def test_a_diverged_splice_stays_silent():
    """A text that differed once can't be trusted to meet the first again."""
    splice = Splice("Hello")
    assert splice.feed("Help") is None
    assert splice.diverged
    assert splice.feed("lo world") is None


@pytest.mark.parametrize("delta", ["", "Hel"])
def test_a_splice_without_news_gives_none(delta):
    """None says that nothing is to be sent."""
    assert Splice("Hello").feed(delta) is None


@pytest.mark.parametrize(
    ("delivered", "deltas", "new"),
    [
        ("Hello ", ["world"], "world"),
        ("Hello ", [" world"], "world"),
        ("Hello \n", [" ", "", "\n", "\n", "world"], "\nworld"),
        ("Hello", [" world"], " world"),
        ("Hello ", ["\n world"], "\n world"),
        ("Hello ", [" ", " world"], " world"),
        ("", [" world"], " world"),
    ],
)
def test_a_seam_does_not_double_white_space(delivered, deltas, new):
    """The space that was taken off a prefill may come again, and only that."""
    seam = Seam(delivered)
    assert "".join(seam.feed(delta) or "" for delta in deltas) == new
