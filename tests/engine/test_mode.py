"""The gateway's own proxy mode, as mitmproxy reads it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from mitmproxy.proxy.mode_specs import ProxyMode

from llmitm.engine.mode import INNER_SPEC, GatewayInstance, GatewayMode, failure

SPECS = [
    ("gateway@127.0.0.1:4000", False, 4000),
    ("gateway", False, 4000),
    ("gateway@0.0.0.0:0", False, None),
    (INNER_SPEC, True, None),
]


@pytest.mark.parametrize(("spec", "inner", "port"), SPECS)
def test_specs(spec: str, inner: bool, port: int | None) -> None:
    """mitmproxy parses it like its own modes; a port that the system chooses is None."""
    mode = ProxyMode.parse(spec)
    assert isinstance(mode, GatewayMode)
    assert (mode.inner, mode.listen_port()) == (inner, port)


def test_other_arguments() -> None:
    """It takes no argument."""
    with pytest.raises(ValueError, match="gateway takes no argument"):
        ProxyMode.parse("gateway:somewhere@4000")


def test_not_started() -> None:
    """An instance that has not been started listens nowhere, and has no layers of mitmproxy's."""
    instance = GatewayInstance(ProxyMode.parse("gateway@127.0.0.1:0"), None)  # type: ignore[arg-type]
    assert not instance.is_running
    assert instance.listen_addrs == ()
    with pytest.raises(NotImplementedError):
        instance.make_top_layer(None)  # type: ignore[arg-type]


FAILURES = [
    ("regular@80", "[Errno 98] in use", "[Errno 98] in use"),
    (
        "local:x",
        "No sudo.\n\nCaused by:\n  none\n\nStack backtrace:\n 0: <unknown>",
        "No sudo. Caused by: none; it needs root or sudo",
    ),
]


@pytest.mark.parametrize(("spec", "fault", "said"), FAILURES)
def test_failure(spec: str, fault: str, said: str) -> None:
    """Why a listener did not start is one line, without a stack, and says what it needs."""
    server: Any = SimpleNamespace(mode=ProxyMode.parse(spec), last_exception=OSError(fault))
    assert failure(server).startswith(said)
    assert "\n" not in failure(server) and "<unknown>" not in failure(server)
