"""Socket addresses and the URLs of upstreams: parsing, and what is reachable from where."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import SplitResult, urlsplit

from pydantic import PlainSerializer, PlainValidator

from llmitm.config.problems import Fault
from llmitm.config.values import shown

_ADDRESS = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.%]+)\]|(?P<host>[^:\[\]\s/]*)):(?P<port>\d{1,5})")
_LOCAL_SUFFIXES = (".local", ".localhost", ".internal", ".lan", ".home.arpa", ".svc")


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen. Port 0 lets the system choose one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        return is_loopback(self.host)

    def clashes(self, other: Address) -> bool:
        """Whether both cannot be listened on at once."""
        hosts = {self.host, other.host}
        same = len(hosts) == 1 or not hosts.isdisjoint({"0.0.0.0", "::"})
        return same and self.port == other.port != 0


def parse_address(value: Any) -> Address:
    """`host:port`, `[v6]:port`, or a port alone, which means loopback.

    An empty host or `*` means every interface. Raises `Fault`.
    """
    if isinstance(value, Address):
        return value
    text = f"127.0.0.1:{value}" if re.fullmatch(r"\d+", str(value)) else str(value)
    match = _ADDRESS.fullmatch(text)
    if match is None or isinstance(value, bool) or int(match["port"]) > 65535:
        raise Fault(f"must be an address, not {shown(value)}", "write host:port, 127.0.0.1:4000")
    host = match["v6"] or match["host"]
    return Address("0.0.0.0" if host in ("", "*") else host, int(match["port"]))


ListenAddress = Annotated[
    Address, PlainValidator(parse_address), PlainSerializer(str, return_type=str)
]


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    address = _ip(host)
    return address is not None and address.is_loopback


def is_private(host: str) -> bool:
    """Whether `host` is on this machine or a network of one's own.

    Names without a dot, as containers have, count as such.
    """
    address = _ip(host)
    if address is not None:
        return address.is_private or address.is_loopback or address.is_link_local
    return "." not in host or host.endswith(_LOCAL_SUFFIXES) or ".svc." in host


def _ip(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None


def base_url(value: Any) -> str:
    """An http(s) URL without a trailing slash. Raises `Fault`, which never repeats a password."""
    if not isinstance(value, str) or re.search(r"\s", value):
        raise Fault("must be a URL", "write https://host/path")
    parts = split_url(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Fault(f"must be a URL, not {shown(value)}", "write https://host/path")
    if parts.username is not None:
        raise Fault("must not contain a user or password", "use api_key or headers instead")
    if parts.query or parts.fragment:
        raise Fault("must not contain ? or #", "keep scheme, host and path only")
    return value.rstrip("/")


def split_url(value: str) -> SplitResult:
    """The parts of a URL. Raises `Fault` for a bad port or bracket."""
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:
        raise Fault(
            "is no URL: its host or port is wrong", "write https://host:port/path"
        ) from None
    return parts


class StoreUrl(str):
    """The URL of a store. As text it is whole; its repr hides the password."""

    __slots__ = ()

    @property
    def masked(self) -> str:
        return re.sub(r"(?<=://)([^/@]*?):([^/]*)@", r"\1:*****@", str(self))

    def __repr__(self) -> str:
        return repr(self.masked)
