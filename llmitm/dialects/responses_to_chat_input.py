"""The items of a Responses input as the messages of a conversation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from llmitm.dialects.carry import Json, objects, refuse, string
from llmitm.dialects.sealed_thoughts import unsealed

_ROLES: Final = {"user": "user", "system": "system", "developer": "system"}
_INLINE: Final = "a file that is kept at OpenAI can't be had elsewhere; send"


def conversation(instructions: object, given: object, *, thinking: bool = False) -> list[Json]:
    """The messages of `instructions` and `given`, a text or a list of items.

    What the model said, thought and called in one turn is one message. Raises GatewayError for
    items that mean nothing outside of OpenAI. With `thinking`, signed thoughts are kept.
    """
    items = [{"role": "user", "content": given}] if isinstance(given, str) else given
    if not isinstance(items, list) or not items:
        raise refuse("input", "must be a text or a list of items")
    said = _Messages(thinking=thinking)
    if prompt := string(instructions or "", "instructions"):
        said.add({"role": "system", "content": prompt})
    for i, item in enumerate(objects(items, "input")):
        said.take(item, f"input[{i}]")
    return said.all()


class _Messages:
    """The conversation so far, and pictures that a tool gave.

    Only a user's message can show those, and it must not come between the results of one turn.
    """

    def __init__(self, *, thinking: bool) -> None:
        self._messages: list[Json] = []
        self._shown: list[Json] = []
        self._thinking = thinking

    def all(self) -> list[Json]:
        self._show()
        return self._messages

    def add(self, message: Json) -> None:
        self._messages.append(message)

    def take(self, item: Json, where: str) -> None:
        kind = item.get("type", "message")
        if kind != "function_call_output":
            self._show()
        match kind:
            case "message":
                self._message(item, where)
            case "function_call":
                self._call(item, where)
            case "function_call_output":
                self._result(item, where)
            case "reasoning":
                self._thought(item)
            case "item_reference":
                raise refuse(where, "is kept at OpenAI and nowhere else; send the item itself")
            case _:
                raise refuse(f"{where}.type", f"{kind!r} means nothing to another provider's model")

    def _show(self) -> None:
        if self._shown:
            self.add({"role": "user", "content": self._shown})
            self._shown = []

    def _message(self, item: Json, where: str) -> None:
        role = item.get("role")
        if role == "assistant":
            self._spoken(_text(item.get("content"), f"{where}.content"))
        elif isinstance(role, str) and role in _ROLES:
            parts = list(_parts(item.get("content"), f"{where}.content"))
            self.add({"role": _ROLES[role], "content": _compact(parts)})
        else:
            raise refuse(f"{where}.role", f"no role of a message: {role!r}")

    def _spoken(self, said: str) -> None:
        """Text of the model: a message of its own, unless it belongs to calls or thoughts."""
        message = self._turn()
        if message["content"] is None:
            message["content"] = said
        elif "tool_calls" in message:
            message["content"] += f"\n{said}"
        else:
            self.add({"role": "assistant", "content": said})

    def _call(self, item: Json, where: str) -> None:
        function = {key: string(item.get(key), f"{where}.{key}") for key in ("name", "arguments")}
        call_id = string(item.get("call_id"), f"{where}.call_id")
        call = {"id": call_id, "type": "function", "function": function}
        self._turn().setdefault("tool_calls", []).append(call)

    def _result(self, item: Json, where: str) -> None:
        parts = list(_parts(item.get("output"), f"{where}.output"))
        said = "\n".join(part["text"] for part in parts if part["type"] == "text")
        self._shown += [part for part in parts if part["type"] != "text"]
        call_id = string(item.get("call_id"), f"{where}.call_id")
        self.add({"role": "tool", "tool_call_id": call_id, "content": said})

    def _thought(self, item: Json) -> None:
        blocks = unsealed(item) if self._thinking else []
        if not blocks:
            return
        message = self._turn()
        if message["content"] is not None or "tool_calls" in message:
            message = {"role": "assistant", "content": None}
            self.add(message)
        message.setdefault("thinking_blocks", []).extend(blocks)

    def _turn(self) -> Json:
        """The model's message that is being told, or a new one."""
        if not self._messages or self._messages[-1]["role"] != "assistant":
            self.add({"role": "assistant", "content": None})
        return self._messages[-1]


def _compact(parts: list[Json]) -> str | list[Json]:
    """Plain text as a string, which every OpenAI-compatible server takes."""
    if len(parts) == 1 and parts[0]["type"] == "text":
        return string(parts[0]["text"], "text")
    return parts


def _text(content: object, where: str) -> str:
    """What the model said before, a refusal included."""
    if isinstance(content, str):
        return content
    parts = []
    for j, part in enumerate(objects(content, where)):
        kind = part.get("type")
        if kind not in ("output_text", "input_text", "text", "refusal"):
            raise refuse(f"{where}[{j}].type", f"{kind!r} is nothing that a model says")
        field = "refusal" if kind == "refusal" else "text"
        parts.append(string(part.get(field), f"{where}[{j}].{field}"))
    return "".join(parts)


def _parts(content: object, where: str) -> Iterator[Json]:
    if isinstance(content, str):
        yield {"type": "text", "text": content}
        return
    for j, part in enumerate(objects(content, where)):
        yield _part(part, f"{where}[{j}]")


def _part(part: Json, where: str) -> Json:
    match part.get("type"):
        case "input_text" | "output_text" | "text":
            return {"type": "text", "text": string(part.get("text"), f"{where}.text")}
        case "input_image":
            return _image(part, where)
        case "input_file":
            return _file(part, where)
        case "input_audio":
            return {"type": "input_audio", "input_audio": part.get("input_audio")}
        case kind:
            raise refuse(f"{where}.type", f"{kind!r} means nothing to another provider's model")


def _image(part: Json, where: str) -> Json:
    if part.get("image_url") is None:
        raise refuse(where, f"{_INLINE} the picture as image_url, which may be a data URL")
    image = {"url": string(part["image_url"], f"{where}.image_url")}
    if part.get("detail") in ("low", "high"):
        image["detail"] = part["detail"]
    return {"type": "image_url", "image_url": image}


def _file(part: Json, where: str) -> Json:
    if part.get("file_data") is None:
        raise refuse(where, f"{_INLINE} its content as file_data")
    file = {"file_data": string(part["file_data"], f"{where}.file_data")}
    if isinstance(part.get("filename"), str):
        file["filename"] = part["filename"]
    return {"type": "file", "file": file}
