"""Prompt tokens of a conversation, by the rule OpenAI publishes.

Source: OpenAI Cookbook, "How to count tokens with tiktoken", section 6. For models with another
chat template it is an estimate.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from llmitm.tokens.count import count_text, pool
from llmitm.tokens.images import Size, image_size, image_tokens
from llmitm.tokens.tools import count_tools

PER_MESSAGE = 3
PER_NAME = 1
REPLY = 3  # every reply is primed with <|start|>assistant<|message|>

_encode = msgspec.json.Encoder().encode


def prompt_tokens(texts: Iterable[str], messages: int, model: str, images: int = 0) -> int:
    """Prompt tokens of `messages` messages whose strings, roles included, are `texts`.

    `images` is what the images in them cost, in tokens. Where there are no messages
    (completions, embeddings) the texts are all there is.
    """
    framing = messages * PER_MESSAGE + REPLY if messages else 0
    return sum(count_text(text, model) for text in texts) + framing + images


async def prompt_tokens_async(
    texts: Sequence[str], messages: int, model: str, images: int = 0
) -> int:
    """`prompt_tokens` in a thread."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(pool, prompt_tokens, texts, messages, model, images)


async def count_messages_async(messages: Any, model: str, tools: Any = ()) -> int:
    """`count_messages` in a thread."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(pool, count_messages, messages, model, tools)


def count_messages(messages: Any, model: str, tools: Any = ()) -> int:
    """Prompt tokens of an OpenAI, Anthropic or Ollama list of messages, and of `tools`.

    What is of no known type counts nothing: refusing it is the provider's business.
    """
    total = REPLY
    for message in _objects(messages):
        total += PER_MESSAGE + (PER_NAME if "name" in message else 0)
        total += sum(count_text(text, model) for text in _texts(message))
        total += sum(_images(message, model))
    return total + count_tools(_objects(tools), model)


def _texts(message: Mapping[str, Any]) -> Iterator[str]:
    for key, value in message.items():
        if isinstance(value, str):
            yield value
        elif key == "content":
            yield from _part_texts(value)
        elif key == "tool_calls":
            yield from _call_texts(value)
        elif key == "function_call":
            yield from _call_texts([{"function": value}])


def _part_texts(parts: Any) -> Iterator[str]:
    """Texts of OpenAI's text parts and Anthropic's text, thinking, tool_use and tool_result."""
    for part in _objects(parts):
        yield from (part[key] for key in ("text", "thinking", "name") if _is_text(part, key))
        if "input" in part:
            yield _text(part["input"])
        if _is_text(part, "content"):
            yield part["content"]
        yield from (inner["text"] for inner in _objects(part.get("content")) if _is_text(inner))


def _call_texts(calls: Any) -> Iterator[str]:
    for call in _objects(calls):
        function = call.get("function")
        if isinstance(function, Mapping):
            yield _text(function.get("name", ""))
            yield _text(function.get("arguments", ""))


def _images(message: Mapping[str, Any], model: str) -> Iterator[int]:
    """Tokens of OpenAI's image_url, Anthropic's image and Ollama's list of base64 images."""
    for part in _objects(message.get("content")):
        kind = part.get("type")
        if kind == "image_url":
            image = part.get("image_url")
            image = image if isinstance(image, Mapping) else {"url": image}
            detail = str(image.get("detail", "auto"))
            yield image_tokens(model, image_size(str(image.get("url"))), detail)
        elif kind == "image":
            source = part.get("source")
            data = source.get("data") if isinstance(source, Mapping) else None
            yield image_tokens(model, _base64_size(data))
    images = message.get("images")
    for data in images if isinstance(images, list) else ():
        yield image_tokens(model, _base64_size(data))


def _base64_size(data: Any) -> Size | None:
    return image_size(f"data:image/;base64,{data}") if isinstance(data, str) else None


def _objects(value: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, list | tuple):
        yield from (item for item in value if isinstance(item, Mapping))


def _is_text(part: Mapping[str, Any], key: str = "text") -> bool:
    return isinstance(part.get(key), str)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else _encode(value).decode()
