"""One fault with its parameters."""

from llmitm.simulator.fault import Fault, Kind
from llmitm.simulator.reply import Reply


def test_numbers() -> None:
    """A parameter that was not given, or is no number, is the default."""
    fault = Fault("f", Kind("Fails."), {"a": 1.5, "b": None, "key": "x"})
    assert [fault.number(name, 7) for name in ("a", "b", "c", "key")] == [1.5, 7, 7, 7]
    assert fault.whole("a") == 1


def test_apply() -> None:
    """The effect gets the fault; without an effect the reply stays as it is."""
    reply = Reply("openai", b"{}")
    assert Fault("f", Kind("Nothing.")).apply(reply) is reply
    kind = Kind("Fails.", lambda reply, fault: Reply(reply.dialect, fault.name.encode()))
    assert Fault("f", kind).apply(reply).body == b"f"
