"""What a client of the Responses API puts together from a stream, and whether it may be so."""

from __future__ import annotations

from typing import Any

from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from tests.dialects.streams import Json, payloads

_EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
_ENDS = ("response.completed", "response.incomplete", "response.failed")


def checked(response: Json) -> Json:
    """`response`, which OpenAI's SDK takes for one, types and all."""
    Response.model_validate(response, strict=True)
    return response


def plain(response: Json) -> Json:
    """A response without what is new in each: ids and times."""
    output = [{key: item[key] for key in item if key != "id"} for item in response["output"]]
    new = ("id", "created_at", "completed_at", "output")
    return {**{key: response[key] for key in response if key not in new}, "output": output}


def response_of(stream: bytes) -> Json:
    """The response that the events make; `done` where it has ended, `error` of an error event.

    Every event must be one of the SDK's, in its place: numbered, inside an item and part that
    were opened before, and repeating what the events before it said.
    """
    seen: Json = {"done": None, "error": None, "items": [], "types": []}
    for number, event in enumerate(payloads(stream)):
        _EVENT.validate_python(event, strict=True)
        assert event["sequence_number"] == number
        assert seen["done"] is None and seen["error"] is None
        seen["types"].append(event["type"])
        _take(seen, event)
    assert seen["types"][:2] in (["response.created", "response.in_progress"], ["error"], [])
    return seen


def _take(seen: Json, event: Json) -> None:
    match event["type"].removeprefix("response."):
        case "created" | "in_progress":
            assert event["response"] == seen.setdefault("head", event["response"])
            assert checked(event["response"])["output"] == []
        case "output_item.added":
            assert event["output_index"] == len(seen["items"])
            seen["items"].append({"item": event["item"], "parts": [], "said": "", "done": False})
        case "output_item.done":
            found = seen["items"][event["output_index"]]
            assert not found["done"]
            assert event["item"]["id"] == found["item"]["id"]
            found |= {"item": event["item"], "done": True}
            _agrees(found)
        case "error":
            seen["error"] = event
        case _ if event["type"] in _ENDS:
            _ended(seen, event["response"])
        case kind:
            _inside(seen["items"][event["output_index"]], kind, event)


def _ended(seen: Json, response: Json) -> None:
    assert all(found["done"] for found in seen["items"])
    assert checked(response)["output"] == [found["item"] for found in seen["items"]]
    assert {response[key] == seen["head"][key] for key in ("id", "model", "created_at")} == {True}
    seen["done"] = response


def _inside(found: Json, kind: str, event: Json) -> None:
    """An event inside of an item: its parts, one after the other, and what is added to them."""
    assert not found["done"]
    assert event["item_id"] == found["item"]["id"]
    index = event.get("content_index", event.get("summary_index"))
    match kind.rpartition(".")[0], kind.rpartition(".")[2]:
        case (("content_part" | "reasoning_summary_part"), "added"):
            assert index == len(found["parts"])
            found["said"] = ""
        case (("content_part" | "reasoning_summary_part"), "done"):
            assert event["part"].get("text", event["part"].get("refusal")) == found["said"]
            found["parts"].append(event["part"])
        case _, "delta":
            assert index in (None, len(found["parts"]))
            found["said"] += event["delta"]
        case _, "done":
            texts = [event[key] for key in ("text", "refusal", "arguments") if key in event]
            assert texts == [found["said"]]
        case what:
            raise AssertionError(what)


def _agrees(found: Json) -> None:
    """The whole item says what its parts said."""
    item = found["item"]
    match item["type"]:
        case "message":
            assert item["content"] == found["parts"]
        case "reasoning":
            assert item["summary"] == found["parts"]
        case "function_call":
            assert item["arguments"] == found["said"]
