"""Providers: upstream accounts, each with a base URL, a credential and an API."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo

from llmitm.config.address import base_url
from llmitm.config.model import Model
from llmitm.config.problems import Fault
from llmitm.config.secret import MASK, HeaderValue, OptionalSecret, Secret

Api = Literal["openai", "anthropic", "ollama", "gemini", "simulator"]

# The simulator has none: the gateway starts it in its own process unless one is given.
BASE_URLS: dict[str, str] = {
    "openai": "https://api.openai.com/v1",
    "anthropic": "https://api.anthropic.com",
    "gemini": "https://generativelanguage.googleapis.com/v1beta/openai",
    "ollama": "http://127.0.0.1:11434",
}

# What OPENAI_MODEL and GEMINI_MODEL mean where they are not set.
DEFAULT_MODELS: dict[str, str] = {"openai": "gpt-3.5-turbo", "gemini": "gemini-2.0-flash-exp"}

# Vendors whose OpenAI-compatible API has Chat Completions, but not the Responses API.
NO_RESPONSES = frozenset({"gemini"})

# The wire API of each `api` that is not one itself; the simulator speaks all of them.
DIALECTS: dict[str, str | None] = {"gemini": "openai", "simulator": None}

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def _check_header(name: str) -> str:
    if not _TOKEN.fullmatch(name):
        raise Fault(f"{name!r} cannot be the name of a header")
    return name.lower()


HeaderName = Annotated[str, AfterValidator(_check_header)]


def _url(value: Any, info: ValidationInfo) -> str | None:
    return BASE_URLS.get(info.data.get("api", "")) if value is None else base_url(value)


BaseUrl = Annotated[str | None, BeforeValidator(_url), Field(validate_default=True)]


# Servers of one's own are given any key: what is as short as a word is none, and stands anywhere.
_SHORTEST_SECRET = 8


def hidden(data: bytes, secrets: Iterable[bytes]) -> bytes:
    """`data` without any of `secrets` that is one."""
    for secret in secrets:
        if len(secret) >= _SHORTEST_SECRET and secret in data:
            data = data.replace(secret, MASK.encode())
    return data


class Provider(Model):
    """One entry of `providers`.

    `headers` are added to each request, `default` marks the provider for calls that name no
    model, and `default_model` is what a client gets that names the provider only. `responses`
    says whether there is a ``/v1/responses``; where it is None the vendor is known for it or not.
    """

    api: Api
    base_url: BaseUrl = None
    api_key: OptionalSecret = None
    headers: dict[HeaderName, HeaderValue] = Field(default_factory=dict)
    default: bool = False
    default_model: str | None = None
    responses: bool | None = None

    @cached_property
    def secrets(self) -> tuple[bytes, ...]:
        """What no one but this provider may see, though its answers may repeat it."""
        values = (self.api_key, *self.headers.values())
        return tuple(v.reveal().encode() for v in values if isinstance(v, Secret) and v.reveal())

    @property
    def has_responses(self) -> bool:
        """Whether it serves OpenAI's Responses API, if it speaks OpenAI's dialect at all."""
        return self.api not in NO_RESPONSES if self.responses is None else self.responses

    @property
    def dialect(self) -> str | None:
        """The wire API it speaks, None for all of them."""
        return DIALECTS.get(self.api, self.api)
