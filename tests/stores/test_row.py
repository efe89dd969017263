"""Records as JSON arrays, whatever is in them."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmitm.call import AttemptRecord
from llmitm.stores.row import QUARTER, ContentRecord, encode_call, encode_content
from llmitm.stores.tables import CALLS, CONTENT
from tests.stores.records import make

any_text = st.text(st.characters(exclude_categories=[]))
hostile = any_text | st.text("\0\ud800\\u0x\n\"'", max_size=300)


@given(hostile, st.integers(-(1 << 80), 1 << 80))
def test_any_call(text: str, tokens: int) -> None:
    """One line of JSON with a value per column; text is storable and short, counts are sane."""
    attempt = AttemptRecord(text, None, text, 1)
    record = make(model=text, key=text, error=text, prompt_tokens=tokens, attempts=(attempt,))
    line = encode_call(record)
    values = msgspec.json.decode(line)
    row = dict(zip((column.name for column in CALLS.columns), values, strict=True))
    assert b"\n" not in line
    assert "\0" not in row["model"]
    assert len(row["model"].encode()) <= 400
    assert 0 <= row["prompt_tokens"] <= 1 << 40


@given(hostile, hostile | st.none())
def test_any_content(request: str, response: str | None) -> None:
    """Content may be anything too, and is not cut."""
    line = encode_content(ContentRecord("id", 1.5, request, response))
    values = msgspec.json.decode(line)
    assert len(values) == len(CONTENT.columns)
    assert len(values[2]) == len(request)
    assert b"\n" not in line


@pytest.mark.parametrize("second", [0.0, 899.9, 900.0, 1_795_176_123.4])
def test_quarter(second: float) -> None:
    """A call belongs to the quarter of an hour in which it was accepted."""
    names = [column.name for column in CALLS.columns]
    quarter = msgspec.json.decode(encode_call(make(ts=second)))[names.index("quarter")]
    assert quarter % QUARTER == 0
    assert quarter <= second < quarter + QUARTER


def test_no_time() -> None:
    """A record without a time is an error: it belongs to no day."""
    with pytest.raises(ValueError, match="NaN"):
        encode_call(make(ts=float("nan")))
