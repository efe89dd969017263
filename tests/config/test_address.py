from __future__ import annotations

from typing import Any

import pytest

from llmitm.config.address import (
    Address,
    StoreUrl,
    base_url,
    is_loopback,
    is_private,
    parse_address,
)
from llmitm.config.problems import Fault


@pytest.mark.parametrize(
    ("written", "address", "text"),
    [
        ("127.0.0.1:4000", Address("127.0.0.1", 4000), "127.0.0.1:4000"),
        ("[::1]:4000", Address("::1", 4000), "[::1]:4000"),
        ("gateway.local:80", Address("gateway.local", 80), "gateway.local:80"),
        (":4000", Address("0.0.0.0", 4000), "0.0.0.0:4000"),
        ("*:4000", Address("0.0.0.0", 4000), "0.0.0.0:4000"),
        (4000, Address("127.0.0.1", 4000), "127.0.0.1:4000"),
        ("4000", Address("127.0.0.1", 4000), "127.0.0.1:4000"),
        (Address("h", 1), Address("h", 1), "h:1"),
    ],
)
def test_reads_addresses(written: Any, address: Any, text: str) -> None:
    """An address is host:port; a port alone is on loopback, an empty host is every interface."""
    assert parse_address(written) == address
    assert str(address) == text


@pytest.mark.parametrize(
    "written", ["127.0.0.1", "h:65536", "::1:4000", "h:x", "", None, True, "a b:1"]
)
def test_refuses_other_addresses(written: bool | str | None) -> None:
    """What is no address is refused."""
    with pytest.raises(Fault, match="must be an address"):
        parse_address(written)


@pytest.mark.parametrize(
    ("one", "other", "clash"),
    [
        ("127.0.0.1:4000", "127.0.0.1:4000", True),
        ("127.0.0.1:4000", "127.0.0.1:4001", False),
        ("127.0.0.1:4000", "0.0.0.0:4000", True),
        ("127.0.0.1:4000", "127.0.0.2:4000", False),
        ("127.0.0.1:0", "127.0.0.1:0", False),
    ],
)
def test_knows_clashes(one: str, other: str, clash: bool) -> None:
    """Two listeners clash on one port, unless the system chooses it or the hosts differ."""
    assert parse_address(one).clashes(parse_address(other)) is clash


@pytest.mark.parametrize(
    ("host", "loopback", "private"),
    [
        ("127.0.0.1", True, True),
        ("127.8.8.8", True, True),
        ("::1", True, True),
        ("localhost", True, True),
        ("app.localhost", True, True),
        ("0.0.0.0", False, True),
        ("10.0.0.7", False, True),
        ("192.168.1.2", False, True),
        ("169.254.0.1", False, True),
        ("fd00::1", False, True),
        ("ollama", False, True),
        ("ollama.prod.svc.cluster.local", False, True),
        ("8.8.8.8", False, False),
        ("api.openai.com", False, False),
    ],
)
def test_knows_reach(host: str, loopback: bool, private: bool) -> None:
    """Loopback is this machine; private is a network of one's own, containers' names included."""
    assert (is_loopback(host), is_private(host)) == (loopback, private)


def test_base_url_has_no_trailing_slash() -> None:
    """Paths are put after the base URL."""
    assert base_url("https://api.openai.com/v1/") == "https://api.openai.com/v1"


@pytest.mark.parametrize(
    "url",
    [
        "api.openai.com",
        "ftp://host",
        "https://",
        "https://user:hunter2@host",
        "https://host?key=hunter2",
        "https://host:port",
        "https://[::1",
        " https://host",
        None,
    ],
)
def test_refuses_other_urls(url: str | None) -> None:
    """A base URL is http or https with a host and nothing else; a password is not repeated."""
    with pytest.raises(Fault) as caught:
        base_url(url)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://app:hunter2@db:5432/llmitm", "postgresql://app:*****@db:5432/llmitm"),
        ("redis://:hunter2@cache:6379/0", "redis://:*****@cache:6379/0"),
        ("sqlite:////data/llmitm.db", "sqlite:////data/llmitm.db"),
    ],
)
def test_store_urls_hide_their_password(url: str, shown: str) -> None:
    """A store's URL is whole as text and masked in a repr."""
    store = StoreUrl(url)
    assert (str(store), store.masked, repr(store)) == (url, shown, repr(shown))
