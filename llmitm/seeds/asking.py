"""A seed's request becomes a chat of the OpenAI API, and from there on a call like any other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mitmproxy import http

from llmitm import dialects
from llmitm.call import Call, Principal
from llmitm.config.providers import BASE_URLS
from llmitm.config.schema import Provider
from llmitm.dialects.carry import decode, encode
from llmitm.errors import Cause, GatewayError
from llmitm.runtime import Runtime
from llmitm.seeds.endpoint import Endpoint, Json
from llmitm.seeds.models import Choice, choice_of, default_choice
from llmitm.seeds.users import check_registered

CHAT = "/v1/chat/completions"


async def ask(live: Runtime, flow: http.HTTPFlow, call: Call, endpoint: Endpoint) -> None:
    """Put the chat that the client means in the place of its request. Raises GatewayError."""
    body = call.body(flow)
    if body is None:
        raise GatewayError(Cause.INVALID_REQUEST, "The request body is not a JSON object.")
    chat = endpoint.chat(body)
    if endpoint.registered:
        call.principal = await _user_of(live, call.principal, body["user_id"])
    choice = _choice(live, call.principal, endpoint, chat, body)
    call.dialect, call.operation = "openai", "chat"
    call.provider = choice.provider
    call.check = lambda answer: unfit(endpoint, answer)
    request = flow.request
    request.path = CHAT
    request.headers.pop("accept", None)
    request.headers["content-type"] = "application/json"
    request.raw_content = encode({**chat, "model": choice.model})


def unfit(endpoint: Endpoint, answer: Any) -> str | None:
    """Why a whole answer won't do; None for one that will."""
    if not isinstance(answer, dict) or not answer.get("choices"):
        return "the answer has no choices"
    return endpoint.check(text_of(answer)) if endpoint.check is not None else None


def text_of(answer: Json) -> str:
    """The text of a chat completion."""
    return dialects.text_of("openai", "chat", answer)


def fit_for(provider: Provider, body: bytes) -> bytes:
    """The request as the provider takes it.

    OpenAI's newer models refuse `max_tokens`, and many compatible servers know nothing else.
    """
    if provider.base_url != BASE_URLS["openai"]:
        return body
    chat = decode(body)
    if "max_tokens" not in chat:
        return body
    limit = chat.pop("max_tokens")
    return encode({**chat, "max_completion_tokens": limit})


def _choice(
    live: Runtime, who: Principal | None, endpoint: Endpoint, chat: Json, body: Json
) -> Choice:
    model = chat.get("model")
    if endpoint.registered and body.get("provider"):
        return choice_of(live, who, body["provider"], model)
    return Choice(model) if model else default_choice(live, who, endpoint.usual_model)


async def _user_of(live: Runtime, who: Principal | None, user: str) -> Principal:
    """The principal, as this user. A key that belongs to a user speaks for no other."""
    who = who or Principal("anonymous")
    if who.user not in (None, user):
        raise GatewayError(
            Cause.PERMISSION,
            f"This API key belongs to the user {who.user!r}.",
            param="user_id",
            code="user_not_allowed",
        )
    await check_registered(live.keyring, user)
    known = live.policies.users.get(user)
    return replace(who, user=user, team=who.team or (known.team if known else None))
