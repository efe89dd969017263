"""What leaves for a provider: url, headers and body of one attempt, without the credential."""

from __future__ import annotations

import msgspec
from mitmproxy import http

from llmitm.call import Attempt, Call
from llmitm.config.schema import Provider
from llmitm.dialects import openai, paths, sealed_thoughts, translate
from llmitm.dialects.translation import Translation
from llmitm.engine import form
from llmitm.engine.reply import HOP_BY_HOP, hop_by_hop

_encode = msgspec.json.Encoder().encode

# Of the client's headers these stay here: they are ours to set, say who the client is, or name
# an account that is not the one we call with.
_KEPT_BACK = HOP_BY_HOP | {
    b"host",
    b"content-length",
    b"accept-encoding",
    b"authorization",
    b"x-api-key",
    b"api-key",
    b"x-goog-api-key",
    b"cookie",
    b"expect",
    b"forwarded",
    b"openai-organization",
    b"openai-project",
    b"via",
    b"x-forwarded-for",
    b"x-forwarded-host",
    b"x-forwarded-port",
    b"x-forwarded-proto",
    b"x-real-ip",
    b"x-request-id",
}

# What takes the items of a conversation at OpenAI, reasoning among them.
_WITH_ITEMS = frozenset({"responses", "compact", "count_tokens"})


def prepare(
    flow: http.HTTPFlow,
    call: Call,
    attempt: Attempt,
    provider: Provider,
    base_url: str,
    body: dict[str, object] | None = None,
) -> Translation | None:
    """Fill in the attempt's request. Raises GatewayError where the dialects don't meet."""
    api = provider.dialect or provider.api
    translation = translate.translation(
        call.dialect, call.operation, api, responses=provider.has_responses
    )
    path, _, query = flow.request.path.partition("?")
    path = paths.strip_prefix(path)
    attempt.method = flow.request.method
    hops = hop_by_hop(flow.request.headers.fields)
    attempt.headers = {
        name.decode("latin-1").lower(): value.decode("latin-1")
        for name, value in flow.request.headers.fields
        if (low := name.lower()) not in _KEPT_BACK and low not in hops
    }
    attempt.headers["accept-encoding"] = "identity"
    body = call.body(flow) if body is None else body
    if translation is not None:
        path, changed = translation.request({**(body or {}), "model": attempt.model})
        attempt.body = _encode(changed)
        query = ""
        attempt.headers["content-type"] = "application/json"
    else:
        attempt.body = _same_dialect(flow, call, attempt, body)
    # An OpenAI base URL has the version in it, as in OpenAI's SDKs; the others don't.
    path = path.removeprefix("/v1") if api == "openai" else path
    attempt.url = f"{base_url}{path}{'?' + query if query else ''}"
    return translation


def _same_dialect(
    flow: http.HTTPFlow, call: Call, attempt: Attempt, body: dict[str, object] | None
) -> bytes | None:
    """The client's body, with the target's name of the model, and asking for usage.

    It is encoded anew, so that of a key given twice the provider sees what we have judged.
    """
    if body is None:
        return _form(flow, call, attempt) or None
    changes: dict[str, object] = {}
    if call.model is not None and attempt.model != call.model:
        changes["name" if "name" in body and "model" not in body else "model"] = attempt.model
    if call.dialect == "openai" and call.stream:
        asked = openai.ask_for_usage(body) if call.operation in ("chat", "completions") else None
        call.hide_usage = asked is not None
        changes.update(asked or {})
    if call.operation in _WITH_ITEMS:
        changes.update(sealed_thoughts.without_foreign(body))
    judged = paths.has_model(call.operation) or call.model is not None
    return _encode({**body, **changes}) if judged else flow.request.raw_content


def _form(flow: http.HTTPFlow, call: Call, attempt: Attempt) -> bytes | None:
    """A body that is no JSON object: as it is, but for the model in a form."""
    content, kind = flow.request.raw_content, flow.request.headers.get("content-type", "")
    if content and call.model not in (None, attempt.model) and form.is_form(kind):
        return form.renamed(content, kind, attempt.model)
    return content
