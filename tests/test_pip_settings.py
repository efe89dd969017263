"""uv follows the settings that pip has on the machine."""

from __future__ import annotations

import sys

import pip_settings
import pytest

LISTING = """\
:env:.default-timeout='180'
:env:.index-url='https://env.example/simple'
global.cert='/etc/ssl/ours.pem'
global.extra-index-url='\\nhttps://a.example/simple\\nhttps://b.example/simple'
global.find-links='/srv/wheels /srv/more'
global.index-url='https://file.example/simple'
install.trusted-host='a.example'
install.cert='/etc/ssl/newer.pem'
freeze.timeout='1'
"""


def test_parse_takes_the_strongest() -> None:
    """A variable beats the install section, which beats the global one; others don't count."""
    assert pip_settings.parse(LISTING) == {
        "timeout": "180",
        "index-url": "https://env.example/simple",
        "cert": "/etc/ssl/newer.pem",
        "extra-index-url": "\nhttps://a.example/simple\nhttps://b.example/simple",
        "find-links": "/srv/wheels /srv/more",
        "trusted-host": "a.example",
    }


def test_uv_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each option gets uv's name and separator; what uv was told itself stays."""
    for name in ("UV_DEFAULT_INDEX", "UV_INDEX", "UV_FIND_LINKS", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("UV_HTTP_TIMEOUT", "7")
    assert pip_settings.uv_settings(pip_settings.parse(LISTING)) == {
        "UV_DEFAULT_INDEX": "https://env.example/simple",
        "UV_INDEX": "https://a.example/simple https://b.example/simple",
        "UV_FIND_LINKS": "/srv/wheels,/srv/more",
        "UV_INSECURE_HOST": "a.example",
        "SSL_CERT_FILE": "/etc/ssl/newer.pem",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
    }


def test_no_settings_leave_uv_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where pip has no settings, uv takes its own."""
    monkeypatch.delenv("UV_INDEX_STRATEGY", raising=False)
    assert pip_settings.uv_settings({}) == {"UV_INDEX_STRATEGY": "unsafe-best-match"}


def test_reads_pip_of_an_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings are asked of pip itself, so that every file and variable counts."""
    monkeypatch.setenv("PIP_INDEX_URL", "https://env.example/simple")
    assert pip_settings.pip_settings(sys.executable)["index-url"] == "https://env.example/simple"
