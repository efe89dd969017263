"""Where requests go: origins, and the proxies that the environment puts before them."""

from __future__ import annotations

import urllib.request
from base64 import b64encode
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import unquote, urlsplit

from llmitm.config.address import is_loopback

PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy, and the value of the Proxy-Authorization header for its credentials."""

    host: str
    port: int
    authorization: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Origin:
    """An origin, and the proxy before it."""

    scheme: str
    host: str
    port: int
    proxy: Proxy | None = None

    @property
    def is_tls(self) -> bool:
        return self.scheme == "https"

    @property
    def authority(self) -> str:
        """Host and port, always both, as CONNECT has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def netloc(self) -> str:
        """As the Host header has it: without the scheme's own port."""
        return self.authority.removesuffix(f":{PORTS[self.scheme]}")


@lru_cache(maxsize=1024)
def origin_of(base: str) -> Origin:
    """The origin of `scheme://authority`. Raises ValueError for what is none."""
    parts = urlsplit(base)
    if parts.scheme not in PORTS or not parts.hostname:
        raise ValueError(f"{base!r} is no http or https address")
    port = parts.port or PORTS[parts.scheme]
    proxy = environment_proxy(parts.scheme, parts.hostname, port)
    return Origin(parts.scheme, parts.hostname, port, proxy_of(proxy) if proxy else None)


def environment_proxy(scheme: str, host: str, port: int) -> str | None:
    """The proxy that HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY name for an origin.

    None for this machine itself, which no proxy could reach: a local model stays local.
    """
    if is_loopback(host):
        return None
    proxies = urllib.request.getproxies_environment()
    if urllib.request.proxy_bypass_environment(f"{host}:{port}", proxies):  # type: ignore[attr-defined]
        return None
    return proxies.get(scheme) or proxies.get("all")


def proxy_of(url: str) -> Proxy:
    """The proxy at `url`, whose scheme may be left out. Raises ValueError for any but http."""
    parts = urlsplit(url if "://" in url else f"http://{url}")
    if parts.scheme != "http" or not parts.hostname:
        # Not the URL itself: it may hold a password.
        raise ValueError(f"a proxy must be http://host:port, not {parts.scheme}://{parts.hostname}")
    authorization = None
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        authorization = "Basic " + b64encode(pair.encode()).decode()
    return Proxy(parts.hostname, parts.port or 80, authorization)
