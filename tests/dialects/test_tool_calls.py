"""Fragments of tool calls find the call they belong to."""

from __future__ import annotations

from llmitm.dialects.tool_calls import ToolCalls, fresh_id
from tests.dialects.streams import Json


def fragment(index: object, call_id: str = "", name: str = "", part: str = "") -> Json:
    return {"index": index, "id": call_id, "function": {"name": name, "arguments": part}}


def test_by_index() -> None:
    """A fragment adds to the call of its index."""
    calls = ToolCalls()
    first, part = calls.add(fragment(0, "a", "f", "{"))
    second, _ = calls.add(fragment(1, "b", "g", "["))
    assert part == "{"
    assert calls.add(fragment(0, part="}")) == (first, "}")
    assert (first.arguments, second.arguments) == ("{}", "[")
    assert calls.calls == [first, second]


def test_repeated_id() -> None:
    """A server may repeat the id with every fragment."""
    calls = ToolCalls()
    first, _ = calls.add(fragment(0, "a", "f", "{"))
    assert calls.add(fragment(0, "a", "f", "}"))[0] is first
    assert (first.name, first.arguments) == ("f", "{}")


def test_another_id_at_the_same_index() -> None:
    """A new id is a new call, whatever the index; what follows belongs to the newest."""
    calls = ToolCalls()
    calls.add(fragment(0, "a", "f"))
    second, _ = calls.add(fragment(0, "b", "g"))
    assert calls.add(fragment(0, part="{}"))[0] is second
    assert [call.id for call in calls.calls] == ["a", "b"]


def test_id_and_name_that_come_late() -> None:
    """What a call lacked is filled in."""
    calls = ToolCalls()
    call, _ = calls.add(fragment(0, part="{"))
    calls.add(fragment(0, "a", "f", "}"))
    assert (call.id, call.name, call.arguments) == ("a", "f", "{}")


def test_fresh_ids_differ() -> None:
    """No two calls share one."""
    assert len({fresh_id() for _ in range(100)}) == 100
