"""What a key may ask for: its models, and caps and defaults of parameters."""

from __future__ import annotations

from typing import Any

from mitmproxy import http

from llmitm import params
from llmitm.call import Call, call_of
from llmitm.config.access import permits
from llmitm.config.glob import matches
from llmitm.config.schema import Key, Params, Policies
from llmitm.dialects import paths
from llmitm.errors import Cause, GatewayError
from llmitm.runtime import runtime

# What a call is judged by. Some providers (Go's encoding/json) don't mind the case of a key.
JUDGED = frozenset({"model", "name", "stream", "options", "messages", "prompt", "input", "tools"})
MAX_REMEMBERED = 4096
MAX_MODEL_NAME = 256  # it becomes a field of logs and the ledger


class Access:
    def __init__(self) -> None:
        self._rules = Rules()

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
        if key is not None:
            self._permit(call, key)
        if body is not None and call.model is not None:
            rules = self._rules.of(runtime().policies, key, call.model)
            changes = params.changes(call.dialect, call.operation, body, rules) if rules else None
            if changes:
                call.edit(flow, changes)

    def _permit(self, call: Call, key: Key) -> None:
        """Raises GatewayError where the key may not use the model, or may not do that to models."""
        if call.model is not None and not permits(key, call.model):
            raise GatewayError(
                Cause.PERMISSION,
                f"This API key may not use the model {call.model!r}.",
                param="model",
            )
        if paths.manages_models(call.dialect, call.operation) and not key.manage_models:
            raise GatewayError(
                Cause.PERMISSION,
                "This API key may not change which models there are: in policies/keys.yaml "
                "manage_models: true permits it.",
            )

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


class Rules:
    """The parameter rules of a key and a model: everyone's and the key's own, put together once."""

    def __init__(self) -> None:
        self._policies: Policies | None = None
        self._known: dict[tuple[int, int], tuple[Params | None, Params]] = {}

    def of(self, policies: Policies, key: Key | None, model: str) -> Params:
        general = next((e.params for e in policies.access.models if matches(e.model, model)), None)
        own = key.params if key is not None else None
        if not general and not own:
            return {}
        if policies is not self._policies or len(self._known) >= MAX_REMEMBERED:
            self._policies, self._known = policies, {}
        name = (id(general), id(own))
        known = self._known.get(name)
        if known is None:
            # It holds on to `own`, so that no other key's rules get its id.
            known = self._known[name] = own, params.merged(general or {}, own or {})
        return known[1]


addons = [Access()]
