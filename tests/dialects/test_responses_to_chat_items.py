"""An output item tells what happens to it, in order, and is whole at its end."""

from __future__ import annotations

from llmitm.dialects.responses_to_chat_items import Call, Happening, Item, Message, Thought
from llmitm.dialects.tool_calls import ToolCall


def kinds(happened: list[Happening]) -> list[str]:
    return [kind.removeprefix("response.") for kind, _ in happened]


def ended(item: Item) -> list[Happening]:
    return list(item.end("completed"))


def test_a_thought() -> None:
    """Its summary begins with the first word, and its signature comes with its end."""
    thought = Thought(3)
    begun = [*thought.begin(), *thought.say("H"), *thought.say("m")]
    thought.sign({"index": 0, "type": "thinking", "thinking": "Hm", "signature": "s"})
    assert kinds(begun) == [
        "output_item.added",
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.delta",
    ]
    assert {fields["output_index"] for _, fields in begun} == {3}
    *_, (_, fields) = ended(thought)
    assert fields["item"]["summary"] == [{"type": "summary_text", "text": "Hm"}]
    assert fields["item"]["encrypted_content"]


def test_a_thought_that_is_not_shown() -> None:
    """Where the provider hides it there is an item without a summary."""
    thought = Thought(0)
    thought.sign({"type": "redacted_thinking", "data": "x"})
    assert kinds([*thought.begin(), *ended(thought)]) == ["output_item.added", "output_item.done"]


def test_a_message_of_two_parts() -> None:
    """A refusal after a text is a part of its own, with the next index."""
    message = Message(0)
    happened = [
        *message.begin(),
        *message.say("output_text", "a", []),
        *message.say("refusal", "b", []),
        *ended(message),
    ]
    assert kinds(happened) == [
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "content_part.added",
        "refusal.delta",
        "refusal.done",
        "content_part.done",
        "output_item.done",
    ]
    indexes = [fields["content_index"] for _, fields in happened if "content_index" in fields]
    assert indexes == [0, 0, 0, 0, 1, 1, 1, 1]
    assert [part["type"] for part in message.value("completed")["content"]] == [
        "output_text",
        "refusal",
    ]


def test_a_message_that_another_began() -> None:
    """What the client has is not told again, and is part of the whole."""
    message = Message(0, "msg_1")
    message.hear("")
    message.hear("a")
    happened = [*message.say("output_text", "b", []), *ended(message)]
    assert kinds(happened)[:2] == ["output_text.delta", "output_text.done"]
    assert happened[1][1]["text"] == "ab"
    assert message.value("completed")["id"] == "msg_1"


def test_a_call_without_arguments() -> None:
    """Its arguments are an empty object, which is what JSON readers expect."""
    call = Call(1, ToolCall(0, name="now"))
    happened = [*call.begin(), *call.add(""), *ended(call)]
    assert kinds(happened) == [
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
    ]
    assert call.value("completed")["arguments"] == "{}"
    assert call.value("completed")["call_id"].startswith("call_")
