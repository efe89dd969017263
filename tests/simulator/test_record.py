"""What is remembered of a request."""

from llmitm.simulator.frames import encode
from llmitm.simulator.record import Record


def test_public() -> None:
    """A record is JSON, whatever bytes were sent."""
    record = Record("POST", "/v1/x", {"A": "b"}, 1.5, body=b'\xff{"a":1}')
    shown = record.public()
    assert encode(shown)
    assert shown["headers"] == {"A": "b"}
    assert shown["body"].endswith('{"a":1}')
    assert shown["outcome"] == "running"
