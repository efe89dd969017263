"""Programs that know of no proxy at all: what they send is redirected to the gateway."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support import island
from tests.support.island import ADDRESS
from tests.support.tools import tool

PROGRAM = "llmitm-curl"  # of this name there is no other on the machine


@contextmanager
def kernel_may_refuse() -> Iterator[None]:
    """What prepares a test needs a firewall, or a device, that not every machine has."""
    try:
        yield
    except subprocess.CalledProcessError as fault:
        pytest.xfail(f"{fault.cmd[-1]}: {fault.stderr.strip()}")


def test_transparent(tmp_path: Path) -> None:
    """What a firewall redirects is governed like any other call."""
    with island.start(tmp_path, "transparent@127.0.0.1:8080") as net:
        to_gateway = ("-p", "tcp", "-d", ADDRESS, "-j", "REDIRECT", "--to-port", "8080")
        with kernel_may_refuse():
            net.run(tool("iptables"), "-t", "nat", "-A", "OUTPUT", *to_gateway)
        net.governed()


def test_wireguard(tmp_path: Path) -> None:
    """A device with the file that the gateway wrote is governed, whatever it connects to."""
    wireguard = tool("wireguard-go")
    with island.start(tmp_path, "wireguard@127.0.0.1:51820") as net:
        written = net.ca / "wireguard-51820.conf"
        assert written.stat().st_mode & 0o077 == 0
        assert str(written) in net.output
        stripped = net.directory / "wg.conf"
        stripped.write_text(net.run(tool("wg-quick"), "strip", str(written)))
        assert "PrivateKey" not in net.output
        net.start(wireguard, "--foreground", "wg0", env={"WG_I_PREFER_BUGGY_USERSPACE": "1"})
        with kernel_may_refuse():
            net.run("timeout", "60", "sh", "-c", "until ip link show wg0; do sleep 0.05; done")
        net.run(tool("wg"), "setconf", "wg0", str(stripped))
        net.run("ip", "address", "add", "10.0.0.1/32", "dev", "wg0")
        net.run("ip", "link", "set", "wg0", "up")
        net.run("ip", "route", "add", ADDRESS, "dev", "wg0")
        net.governed()


def test_local(tmp_path: Path) -> None:
    """The programs of this machine that are named are governed."""
    tool("sudo")
    program = shutil.copy(tool("curl"), tmp_path / PROGRAM)
    try:
        net = island.start(tmp_path, f"local:{PROGRAM}")
    except AssertionError as fault:
        said = str(fault)
        assert f"can't listen on local:{PROGRAM}: " in said
        assert "it needs root or sudo" in said and "<unknown>" not in said
        pytest.xfail(said.splitlines()[-1])
    with net:
        net.governed(program)
