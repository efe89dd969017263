"""What a key may ask for: its models, and caps and defaults of parameters."""

from __future__ import annotations

from typing import Any

from mitmproxy import http

from llmitm.call import Call, call_of
from llmitm.config.access import permits
from llmitm.dialects import paths
from llmitm.errors import Cause, GatewayError

# What a call is judged by. Some providers (Go's encoding/json) don't mind the case of a key.
JUDGED = frozenset({"model", "name", "stream", "options", "messages", "prompt", "input", "tools"})
MAX_MODEL_NAME = 256  # it becomes a field of logs and the ledger


class Access:
    def request(self, flow: http.HTTPFlow) -> None:
        if flow.response:
            return
        call = call_of(flow)
        body = call.body(flow)
        if body is None and paths.has_model(call.operation) and not flow.request.stream:
            self._need_json(call, flow)
        if body is not None:
            self._read(call, body)
        key = call.principal.policy if call.principal else None
        if key is None:
            return
        if call.model is not None and not permits(key, call.model):
            raise GatewayError(
                Cause.PERMISSION,
                f"This API key may not use the model {call.model!r}.",
                param="model",
            )
        if body is not None and key.params:
            changes = capped(body, key.params)
            if changes:
                call.edit(flow, changes)

    def _need_json(self, call: Call, flow: http.HTTPFlow) -> None:
        if call.model is not None or flow.request.method not in ("POST", "PUT", "PATCH"):
            return
        raise GatewayError(Cause.INVALID_REQUEST, "The request body is not a JSON object.")

    def _read(self, call: Call, body: dict[str, Any]) -> None:
        for field in body:
            plain = field.isascii() and field.islower()
            if not plain and field.casefold() in JUDGED:
                raise GatewayError(Cause.INVALID_REQUEST, f"Unknown field {field!r}.", param=field)
        model = body.get("model", body.get("name") if call.dialect == "ollama" else None)
        if isinstance(model, str) and model:
            if len(model) > MAX_MODEL_NAME:
                raise GatewayError(
                    Cause.INVALID_REQUEST, "The model's name is too long.", param="model"
                )
            call.model = model
        elif paths.has_model(call.operation):
            raise GatewayError(Cause.INVALID_REQUEST, "The request names no model.", param="model")
        default = call.dialect == "ollama" and call.operation in ("chat", "generate")
        call.stream = body.get("stream", default) is True


def capped(body: dict[str, Any], params: Any) -> dict[str, Any]:
    """The changes that bring `body` within `params` (name → cap and default)."""
    changes: dict[str, Any] = {}
    for name, rule in params.items():
        value = body.get(name)
        if value is None:
            if rule.default is not None:
                changes[name] = rule.default
        elif rule.max is not None and isinstance(value, int | float) and value > rule.max:
            changes[name] = rule.max
        elif rule.min is not None and isinstance(value, int | float) and value < rule.min:
            changes[name] = rule.min
    return changes


addons = [Access()]
