"""The configuration where there is no file: environment variables, on loopback."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from llmitm.config.defaults import default_ledger, default_routes, route_to
from llmitm.config.document import Document, Place, Where
from llmitm.config.environment import PLACE, Environment
from llmitm.config.policies import POLICY_FILES
from llmitm.config.providers import BASE_URLS, DEFAULT_MODELS
from llmitm.config.values import Text


def documents(env: Mapping[str, str]) -> dict[str, Document]:
    """`gateway`, `routes`, `keys` and the other documents as files would have them."""
    return _Builder(env).build()


class _Builder:
    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = Environment(env)
        self._documents = {
            name: Document(PLACE, Path.cwd(), places={(): Place(PLACE)})
            for name in ("gateway", *POLICY_FILES)
        }
        self._gateway = self._documents["gateway"].value
        self._gateway |= {"providers": {}, "store": {"ledger": default_ledger(env)}}

    def build(self) -> dict[str, Document]:
        for name in ("openai", "anthropic", "gemini"):
            self._keyed(name, name)
        self._llm()
        self._ollama()
        self._workers()
        if not self._gateway["providers"]:
            self._gateway["providers"] = {"simulator": {"api": "simulator"}}
        self._routes(self._gateway["providers"])
        self._prices(self._gateway["providers"])
        self._keys()
        return self._documents

    def _put(self, file: str, where: Where, value: Any, variable: str) -> None:
        self._documents[file].put(where, value, Place(PLACE, None, variable))

    def _provider(self, name: str, key: str, value: Any, variable: str) -> None:
        self._put("gateway", ("providers", name, key), value, variable)

    def _keyed(self, name: str, api: str) -> None:
        """A provider of `NAME_API_KEY`, `NAME_BASE_URL` and `NAME_MODEL`."""
        credential, url, model = (f"{name.upper()}_{s}" for s in ("API_KEY", "BASE_URL", "MODEL"))
        if not (self._env.get(credential) or self._env.get(url)):
            return
        self._provider(name, "api", api, credential)
        for key, variable in (("api_key", credential), ("base_url", url), ("default_model", model)):
            text = self._env.text(variable)
            if text is not None:
                self._provider(name, key, text, variable)

    def _llm(self) -> None:
        url = self._env.get("LLM_BASE_URL")
        if url is not None:
            self._keyed("llm", "openai")
            bare = not urlsplit(url).path.strip("/")
            full = Text.of(f"{url.rstrip('/')}/v1" if bare else url, "${LLM_BASE_URL}")
            self._provider("llm", "base_url", full, "LLM_BASE_URL")

    def _ollama(self) -> None:
        variable = "OLLAMA_URL" if self._env.get("OLLAMA_URL") else "OLLAMA_HOST"
        text = self._env.get(variable)
        if text is not None:
            self._provider("ollama", "api", "ollama", variable)
            url = Text.of(_ollama_url(text), f"${{{variable}}}")
            self._provider("ollama", "base_url", url, variable)

    def _workers(self) -> None:
        variable = "WORKER_ADDRESSES"
        for number, address in enumerate(_listed(self._env.get(variable))):
            url = address if "://" in address else f"http://{address}"
            self._provider(f"worker-{number}", "api", "ollama", variable)
            self._provider(f"worker-{number}", "base_url", url, variable)

    def _routes(self, providers: Mapping[str, dict[str, Any]]) -> None:
        named = [(name, entry.get("default_model")) for name, entry in providers.items()]
        own = {model: route_to([name], model) for name, model in reversed(named) if model}
        routes = [*own.values(), *default_routes(providers)]
        self._documents["routes"].value["routes"] = routes

    def _prices(self, providers: Mapping[str, dict[str, Any]]) -> None:
        prices: list[dict[str, Any]] = []
        self._documents["prices"].value["prices"] = prices
        for name, usual in DEFAULT_MODELS.items():
            variables = {s: f"{name.upper()}_{s.upper()}_COST_PER_1K" for s in ("input", "output")}
            costs = {s: self._env.get(variable) for s, variable in variables.items()}
            if name not in providers or not any(costs.values()):
                continue
            model = providers[name].get("default_model") or usual
            price = {f"{s}_per_million": _per_million(cost or "0") for s, cost in costs.items()}
            for s, variable in variables.items():
                where = ("prices", len(prices), f"{s}_per_million")
                self._documents["prices"].places[where] = Place(PLACE, None, variable)
            prices.append({"provider": name, "model": str(model), **price})

    def _keys(self) -> None:
        keys = dict.fromkeys(_listed(self._env.get("API_KEYS")))
        self._gateway["auth"] = "required" if keys else "anonymous"
        entries = [
            {"id": f"env-{number}", "key": Text.of(key, "${API_KEYS}")}
            for number, key in enumerate(keys, start=1)
        ]
        self._put("keys", ("keys",), entries, "API_KEYS")


def _listed(text: str | None) -> list[str]:
    return [item.strip() for item in (text or "").split(",") if item.strip()]


def _ollama_url(text: str) -> str:
    """The URL to reach an Ollama that listens on `text`, which may lack scheme, host or port."""
    if "://" not in text:
        usual = urlsplit(BASE_URLS["ollama"]).port
        host, colon, port = text.rpartition(":")
        text = f"http://{text}" if colon and port.isdigit() else f"http://{text}:{usual}"
        text = text if host or not colon else text.replace("http://", "http://127.0.0.1")
    return text.replace("//0.0.0.0", "//127.0.0.1")


def _per_million(per_thousand: str) -> str | Decimal:
    try:
        return Decimal(per_thousand) * 1000
    except InvalidOperation:
        return per_thousand
