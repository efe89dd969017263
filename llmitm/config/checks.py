"""Checks of `gateway.yaml` that no single value can fail: listeners, workers, providers, addons.

They read the document rather than the record, so that one fault does not hide another.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from mitmproxy.proxy.mode_specs import ProxyMode

import llmitm
from llmitm.config.address import Address, is_loopback, is_private, parse_address
from llmitm.config.document import Document, Where
from llmitm.config.gateway import Listen, is_path
from llmitm.config.problems import Fault, suggestion
from llmitm.config.providers import DIALECTS
from llmitm.config.secret import is_literal

type Listener = tuple[Where, Address]


def check_gateway(document: Document) -> None:
    """Add what is wrong, and what is unwise, to the document."""
    listeners = list(_listeners(document))
    _clashes(document, listeners)
    _anonymous(document, listeners)
    _workers(document)
    _one_default(document)
    _loops(document, listeners)
    _addons(document)
    _warn_of_literals(document)
    _warn_of_plain_http(document)


def _listeners(document: Document) -> Iterator[Listener]:
    for name in ("gateway", "admin", "inspector"):
        usual = Listen.model_fields[name].default
        value = document.get("listen", name, default=usual)
        if value is not None:
            try:
                yield ("listen", name), parse_address(value)
            except Fault:
                continue  # the schema reports it
    for where, spec in document.each("listen", "intercept"):
        address = _mode_address(spec)
        if address is not None:
            yield where, address


def _mode_address(spec: object) -> Address | None:
    """Where a mitmproxy mode listens; None where it does not, or is no mode."""
    try:
        mode = ProxyMode.parse(str(spec))
    except ValueError:
        return None
    port = mode.listen_port()
    host = mode.listen_host() or "0.0.0.0"
    return None if port is None else Address(host.strip("[]"), port)


def _clashes(document: Document, listeners: list[Listener]) -> None:
    for index, (where, address) in enumerate(listeners):
        for other, taken in listeners[:index]:
            if address.clashes(taken):
                document.report(
                    where,
                    f"{address} is taken by {_name(other)} {document.line(other)}",
                    "choose another port",
                )


def _anonymous(document: Document, listeners: list[Listener]) -> None:
    open_to_others = [f"{_name(w)} ({a})" for w, a in listeners if not a.is_loopback]
    if document.get("auth") == "anonymous" and open_to_others:
        document.report(
            ("auth",),
            f"anonymous access is for loopback only, but others reach {', '.join(open_to_others)}",
            "listen on 127.0.0.1, or set auth: required",
        )


def _name(where: Where) -> str:
    return ".".join(str(step) for step in where[:2])


def _workers(document: Document) -> None:
    workers = document.get("workers", default=1)
    shared = document.get("store", "shared", default="memory")
    if isinstance(workers, int) and workers > 1 and shared == "memory":
        document.report(
            ("workers",),
            f"{workers} workers need a store that they share",
            "under store: add the line shared: redis://127.0.0.1:6379/0",
        )


def _one_default(document: Document) -> None:
    """At most one provider of a dialect takes the calls that name no model."""
    seen: dict[object, Where] = {}
    for where, _ in document.each("providers"):
        if document.get(*where, "default") is not True:
            continue
        api = document.get(*where, "api")
        dialect = DIALECTS.get(api, api)
        if dialect in seen:
            first = document.line((*seen[dialect], "default"))
            document.report(
                (*where, "default"),
                f"{seen[dialect][-1]} is already the default of its dialect {first}",
                "keep one of the two",
            )
        seen.setdefault(dialect, where)


def _loops(document: Document, listeners: list[Listener]) -> None:
    """A provider must not be this gateway, as where a client's base URL is in the environment."""
    ours = {address.port: where for where, address in listeners if address.port}
    for where, url in _urls(document):
        parts = urlsplit(url)
        if is_loopback(parts.hostname or "") and parts.port in ours:
            document.report(
                where,
                f"points back to {_name(ours[parts.port])} of this gateway",
                "give the provider's own URL",
            )


def _urls(document: Document) -> Iterator[tuple[Where, str]]:
    for where, _ in document.each("providers"):
        url = document.get(*where, "base_url")
        try:
            if isinstance(url, str) and urlsplit(url).port != 0:
                yield (*where, "base_url"), url
        except ValueError:
            continue  # the schema reports it


def builtin_addons() -> list[str]:
    """The names of the addons that come with llmitm."""
    package = Path(llmitm.__file__).parent
    folders = (package / "addons", package.parent / "addons")
    found = next((folder for folder in folders if folder.is_dir()), None)
    return sorted(p.stem for p in found.glob("[a-z]*.py")) if found else []


def _addons(document: Document) -> None:
    for where, entry in document.each("addons"):
        name = next(iter(entry), None) if isinstance(entry, dict) else entry
        if not isinstance(name, str) or name == "default":  # all of the default ones, in place
            continue
        if is_path(name):
            if not (document.directory / Path(name).expanduser()).is_file():
                document.report(where, f"there is no file {name}", "create it, or correct the path")
        elif name not in builtin_addons() and not ("." in name and _importable(name)):
            document.report(
                where, f"no addon is called {name}", suggestion(name, builtin_addons(), "addons")
            )


def _importable(name: str) -> bool:
    """Whether a dotted name may be a module, without running any of its code."""
    try:
        return importlib.util.find_spec(name.partition(".")[0]) is not None
    except (ImportError, ValueError):
        return False


def _warn_of_literals(document: Document) -> None:
    places: list[Where] = [("admin_token",), ("inspector", "password")]
    places += [(*where, "api_key") for where, _ in document.each("providers")]
    for where in places:
        warn_of_literal(document, where)


def warn_of_literal(document: Document, where: Where) -> None:
    """Warn where a secret is written into the file."""
    if is_literal(document.get(*where)):
        document.warn(where, "a secret stands in this file", "use ${NAME} or file:PATH")


def _warn_of_plain_http(document: Document) -> None:
    for where, url in _urls(document):
        parts = urlsplit(url)
        if parts.scheme == "http" and parts.hostname and not is_private(parts.hostname):
            document.warn(where, "sends keys and prompts unencrypted", "use https://")
