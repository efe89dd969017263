"""`gateway.yaml`: listeners, providers, stores, the addon list."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

from mitmproxy import flowfilter
from mitmproxy.proxy.mode_specs import ProxyMode
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    PlainValidator,
    ValidationInfo,
)

from llmitm.config.address import Address, ListenAddress, StoreUrl, split_url
from llmitm.config.document import Document, display
from llmitm.config.model import Model
from llmitm.config.problems import Fault
from llmitm.config.providers import Provider
from llmitm.config.secret import OptionalSecret
from llmitm.config.values import Count, Duration, Money, Name, PositiveDuration, Size


def absolute(value: str | Path, info: ValidationInfo) -> Path:
    """A path from the directory of the file that names it."""
    directory = info.context.directory if isinstance(info.context, Document) else Path()
    return Path(os.path.abspath(directory / Path(value).expanduser()))


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise Fault(f"there is no file {display(path)}", "create it, or correct the path")
    return path


RelativePath = Annotated[Path, AfterValidator(absolute)]
ExistingFile = Annotated[Path, AfterValidator(absolute), AfterValidator(_existing)]


def _check_mode(spec: str) -> str:
    try:
        mode = ProxyMode.parse(spec)
    except ValueError as error:
        raise Fault(
            f"{spec!r} is no mitmproxy mode: {error}", "write regular@8080 or wireguard@51820"
        ) from None
    if mode.type_name in ("dns", "gateway", "upstream"):
        raise Fault(f"{spec!r} can't feed the gateway", "write regular@8080 or wireguard@51820")
    return spec


class Tls(Model):
    """Certificate chain and private key, PEM."""

    cert: ExistingFile
    key: ExistingFile


class Listen(Model):
    """Where the gateway listens; None turns a listener off. `intercept` are mitmproxy modes."""

    gateway: ListenAddress = Address("127.0.0.1", 4000)
    admin: ListenAddress = Address("127.0.0.1", 4001)
    inspector: ListenAddress | None = Address("127.0.0.1", 4002)
    intercept: tuple[Annotated[str, AfterValidator(_check_mode)], ...] = ()
    tls: Tls | None = None


def _ledger(url: str, info: ValidationInfo) -> StoreUrl:
    parts = split_url(url)
    if parts.scheme in ("postgres", "postgresql") and (parts.hostname or "host=" in parts.query):
        return StoreUrl(url)
    if parts.scheme != "sqlite" or not parts.path.strip("/"):
        raise Fault(
            "is not the URL of a ledger",
            "write sqlite:///path/to.db or postgresql://user@host/name",
        )
    path = url.removeprefix("sqlite:///")
    return StoreUrl(url if path == ":memory:" else f"sqlite:///{absolute(path, info)}")


def _shared(url: str) -> StoreUrl:
    if url == "memory" or split_url(url).scheme in ("redis", "rediss", "unix", "valkey"):
        return StoreUrl(url)
    raise Fault("is not the URL of a shared store", "write memory or redis://host:6379/0")


_masked = PlainSerializer(lambda url: url.masked, return_type=str)


class Store(Model):
    """Where records and shared state live. A ledger's path is relative to the file.

    For `lease` seconds after a process is lost, what its calls held stays held in `shared`.
    """

    ledger: Annotated[str, AfterValidator(_ledger), _masked]
    shared: Annotated[str, AfterValidator(_shared), _masked] = StoreUrl("memory")
    lease: Annotated[PositiveDuration, Field(ge=1)] = 30


class Http(Model):
    """Bounds of the HTTP edge: bytes and seconds."""

    max_body: Size = 32 << 20
    max_header: Size = 64 << 10
    buffer_body: Size = 1 << 20
    idle_timeout: PositiveDuration = 75
    header_timeout: PositiveDuration = 30
    body_timeout: PositiveDuration = 60
    max_connections: Count = 10_000


def _check_filter(expression: str) -> str:
    try:
        flowfilter.parse(expression)
    except ValueError as error:
        raise Fault(f"{error}", "write a filter of mitmproxy's, such as ~b secret") from None
    return expression


class Inspector(Model):
    """What the inspection UI keeps: calls, bytes of each body, and who may log in.

    Calls that match `hold`, a filter of mitmproxy's, wait `hold_timeout` seconds for an operator;
    `hold_then` says what becomes of those that nobody decided about. Calls that cost
    `expensive_usd` or more are marked.
    """

    keep: Count = 500
    body_cap: Size = 256 << 10
    password: OptionalSecret = None
    hold: Annotated[str, AfterValidator(_check_filter)] | None = None
    hold_timeout: PositiveDuration = 60
    hold_then: Literal["resume", "kill"] = "resume"
    expensive_usd: Money | None = Decimal("0.10")


_HOST = re.compile(r"[A-Za-z0-9*?._-]+(?::\d{1,5})?")


def _check_host(host: str) -> str:
    if not _HOST.fullmatch(host):
        raise Fault(f"{host!r} is no host", "write llm.example.com, *.example.com or host:8080")
    return host


class Intercept(Model):
    """What `listen.intercept` redirects to the gateway, and what becomes of other hosts.

    `hosts` are added to those of the providers and to the well-known ones; `ca` is the directory
    of the certificate authority that clients must trust.
    """

    hosts: tuple[Annotated[str, AfterValidator(_check_host)], ...] = ()
    other_hosts: Literal["refuse", "pass"] = "refuse"
    ca: RelativePath | None = None


@dataclass(frozen=True, slots=True)
class AddonEntry:
    """One entry of `addons`: a built-in name, a dotted name or an absolute path."""

    name: str
    options: dict[str, Any] = field(default_factory=dict)


def is_path(name: str) -> bool:
    """Whether an addon's name is that of a file."""
    return "/" in name or name.endswith(".py")


def _addons(value: Any) -> Any:
    if value == "default":
        return None
    if isinstance(value, str):
        raise Fault("must be default or a list", "write default, or - name for each addon")
    return value


def _addon(entry: Any, info: ValidationInfo) -> AddonEntry:
    if isinstance(entry, AddonEntry):
        return entry
    name, options = next(iter(entry.items())) if _is_single(entry) else (entry, None)
    if not isinstance(name, str) or not isinstance(options, dict | None):
        raise Fault("is no addon", "write a name, a path or {name: {option: value}}")
    return AddonEntry(str(absolute(name, info)) if is_path(name) else str(name), options or {})


def _is_single(entry: Any) -> bool:
    return isinstance(entry, dict) and len(entry) == 1


AddonList = tuple[Annotated[AddonEntry, PlainValidator(_addon)], ...]


class Gateway(Model):
    """The whole of `gateway.yaml`. Paths are absolute; `addons` is None for the default list."""

    listen: Listen = Listen()
    workers: Count = 1
    auth: Literal["required", "anonymous"] = "required"
    admin_token: OptionalSecret = None
    providers: dict[Name, Provider] = Field(min_length=1)
    store: Store
    policies: RelativePath | None = None
    addons: Annotated[AddonList | None, BeforeValidator(_addons)] = None
    seed_apis: bool = False
    http: Http = Http()
    drain_timeout: Duration = 30
    inspector: Inspector = Inspector()
    intercept: Intercept = Intercept()
