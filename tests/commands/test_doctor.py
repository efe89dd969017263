"""Whether a gateway can do what its configuration says, tried for real."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.journeys.test_errors import closed_port
from tests.support.gateway import Starter
from tests.support.terminal import run


def with_settings(config: Path, **settings: Any) -> Path:
    config.write_text(yaml.safe_dump({**yaml.safe_load(config.read_text()), **settings}))
    return config


def examined(config: Path, code: int = 0) -> dict[str, tuple[bool, str]]:
    """What was found, by what was tried."""
    found = {}
    for line in run("doctor", "-c", config, code=code).output.splitlines():
        mark, _, rest = line.partition(" ")
        what, _, detail = rest.strip().partition(": ")
        found[what] = (mark == "ok", detail)
    return found


def provider(url: str, api: str = "openai", **more: Any) -> dict[str, Any]:
    return {"sim": {"api": api, "base_url": url, **more}}


@pytest.mark.parametrize("api", ["openai", "anthropic", "ollama"])
def test_all_is_well(config: Path, starter: Starter, api: str) -> None:
    """Ports that are free, a ledger to be made, a provider that takes the key."""
    _, url = starter.simulator(api_key="sk-right")
    base = f"{url}/v1" if api == "openai" else url
    with_settings(config, providers=provider(base, api, api_key="sk-right"))
    found = examined(config)
    assert all(ok for ok, _ in found.values())
    assert found["provider sim"] == (True, "answers 200")
    assert "will be made" in found["ledger"][1]
    assert found["tokenizer"] == (True, "2 tokens")
    assert not (config.parent / "ledger.db").exists()


def test_no_tokens_are_spent(config: Path, starter: Starter) -> None:
    """A provider is asked for its list only."""
    simulator, url = starter.simulator()
    with_settings(config, providers=provider(f"{url}/v1"))
    examined(config)
    assert [(record.method, record.path) for record in simulator.requests] == [
        ("GET", "/v1/models")
    ]


def test_wrong_key(config: Path, starter: Starter) -> None:
    """A refused credential is told, without repeating it."""
    _, url = starter.simulator(api_key="sk-right")
    with_settings(config, providers=provider(f"{url}/v1", api_key="sk-wrong-canary"))
    ok, detail = examined(config, code=1)["provider sim"]
    assert not ok
    assert "refuses the key (401)" in detail
    assert "canary" not in detail


def test_closed_port(config: Path) -> None:
    """A provider that isn't there fails, and the rest is still tried."""
    with_settings(config, providers=provider(f"http://127.0.0.1:{closed_port()}/v1"))
    found = examined(config, code=1)
    assert [what for what, (ok, _) in found.items() if not ok] == ["provider sim"]
    assert "not reachable" in found["provider sim"][1]


def test_inside(config: Path) -> None:
    """The built-in simulator needs no check."""
    with_settings(config, providers={"sim": {"api": "simulator"}})
    assert examined(config)["provider sim"] == (True, "runs inside the gateway")


def test_port_taken(config: Path) -> None:
    """A port that another program has is a fault, with what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        listen = {"gateway": address, "admin": "127.0.0.1:0", "inspector": None}
        with_settings(config, listen=listen, providers={"sim": {"api": "simulator"}})
        ok, detail = examined(config, code=1)[f"gateway on {address}"]
    assert not ok
    assert "choose another" in detail


def test_beside_a_running_gateway(starter: Starter) -> None:
    """Ports that the gateway itself has are no fault."""
    _, url = starter.simulator()
    gateway = starter.gateway(provider_url=url)
    addresses = (gateway.master.address, gateway.master.admin_address)
    gateway_at, admin_at = (f"{host}:{port}" for host, port in addresses)
    config = with_settings(
        gateway.directory / "gateway.yaml",
        listen={"gateway": gateway_at, "admin": admin_at, "inspector": None},
    )
    found = examined(config)
    assert found[f"gateway on {gateway_at}"] == (True, "the gateway is running")
    assert found["ledger"] == (True, "readable")


def test_shared_store(config: Path) -> None:
    """A shared store that isn't there fails."""
    store = {"ledger": "sqlite:///ledger.db", "shared": f"redis://127.0.0.1:{closed_port()}/0"}
    with_settings(config, store=store, providers={"sim": {"api": "simulator"}})
    ok, detail = examined(config, code=1)["shared state"]
    assert not ok
    assert "doesn't answer" in detail


def test_no_room_for_the_ledger(config: Path, tmp_path: Path) -> None:
    """A place that can't be written is a fault before the first start."""
    (tmp_path / "file").touch()  # even root can't make a file in a file
    store = {"ledger": f"sqlite:///{tmp_path}/file/ledger.db"}
    with_settings(config, store=store, providers={"sim": {"api": "simulator"}})
    assert "not writable" in examined(config, code=1)["ledger"][1]


def test_a_broken_ledger(config: Path) -> None:
    """A file that is no database is a fault."""
    (config.parent / "ledger.db").write_bytes(b"not a database" * 100)
    with_settings(config, providers={"sim": {"api": "simulator"}})
    assert not examined(config, code=1)["ledger"][0]
