"""Origins of URLs, and which proxy the environment puts before them."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from llmitm.engine.origin import Origin, Proxy, environment_proxy, origin_of, proxy_of

PROXY = "http://proxy:3128"


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The environment of whoever runs the tests is not the subject."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    origin_of.cache_clear()
    yield
    origin_of.cache_clear()


@pytest.mark.parametrize(
    ("base", "origin", "netloc"),
    [
        ("https://api.openai.com", Origin("https", "api.openai.com", 443), "api.openai.com"),
        ("http://Api.Example", Origin("http", "api.example", 80), "api.example"),
        ("https://a.b:8443", Origin("https", "a.b", 8443), "a.b:8443"),
        ("http://a.b:443", Origin("http", "a.b", 443), "a.b:443"),
        ("http://[::1]:8080", Origin("http", "::1", 8080), "[::1]:8080"),
        ("https://[2001:db8::1]", Origin("https", "2001:db8::1", 443), "[2001:db8::1]"),
        ("http://user:secret@a.b", Origin("http", "a.b", 80), "a.b"),
    ],
)
def test_origins(base: str, origin: Origin, netloc: str) -> None:
    """Scheme, host and port; the Host header leaves out the scheme's own port."""
    assert origin_of(base) == origin
    assert origin.netloc == netloc


@pytest.mark.parametrize("base", ["ftp://a", "a.b", "http://", "http://a:99999", "http://[::1"])
def test_no_origins(base: str) -> None:
    """What can't be asked over HTTP is refused."""
    with pytest.raises(ValueError, match=r".+"):
        origin_of(base)


@pytest.mark.parametrize(
    ("environment", "scheme", "host", "proxy"),
    [
        ({}, "http", "a.b", None),
        ({"HTTP_PROXY": PROXY}, "http", "a.b", PROXY),
        ({"HTTP_PROXY": PROXY}, "https", "a.b", None),
        ({"https_proxy": PROXY}, "https", "a.b", PROXY),
        ({"ALL_PROXY": PROXY}, "https", "a.b", PROXY),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "a.b"}, "https", "a.b", None),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "b"}, "https", "a.b", None),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "a.b:8443"}, "https", "a.b", PROXY),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "x,a.b:443"}, "https", "a.b", None),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "*"}, "https", "a.b", None),
        ({"HTTP_PROXY": PROXY}, "http", "localhost", None),
        ({"HTTP_PROXY": PROXY}, "http", "127.0.0.1", None),
        ({"HTTP_PROXY": PROXY}, "http", "::1", None),
    ],
)
def test_proxies(
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    scheme: str,
    host: str,
    proxy: str | None,
) -> None:
    """The usual variables are honoured; this machine itself is never asked through a proxy."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert environment_proxy(scheme, host, 443) == proxy
    shown = f"[{host}]" if ":" in host else host
    origin = origin_of(f"{scheme}://{shown}:443")
    assert origin.proxy == (proxy_of(proxy) if proxy else None)


@pytest.mark.parametrize(
    ("url", "proxy"),
    [
        ("http://proxy:3128", Proxy("proxy", 3128)),
        ("proxy:3128", Proxy("proxy", 3128)),
        ("http://proxy", Proxy("proxy", 80)),
        ("http://ava:p%40ss@proxy:1/", Proxy("proxy", 1, "Basic YXZhOnBAc3M=")),
        ("http://ava@proxy:1", Proxy("proxy", 1, "Basic YXZhOg==")),
    ],
)
def test_proxy_urls(url: str, proxy: Proxy) -> None:
    """Host, port and credentials of a proxy; the scheme may be left out."""
    assert proxy_of(url) == proxy


@pytest.mark.parametrize("url", ["socks5://ava:secret@proxy:1", "https://ava:secret@proxy:1"])
def test_other_proxies(url: str) -> None:
    """A proxy that isn't spoken to in plain HTTP is refused, without telling its password."""
    with pytest.raises(ValueError, match="must be http://host:port") as caught:
        proxy_of(url)
    assert "secret" not in str(caught.value)


def test_credentials_are_not_shown() -> None:
    """A proxy's credentials don't get into logs by way of its repr."""
    assert "Basic" not in repr(Origin("http", "a", 80, Proxy("p", 1, "Basic YXZhOg==")))
