"""docker-compose.yaml: valid, hardened, without a password in it, and of one piece."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import new_env
import pytest
import yaml

from tests.support.deployed import configured
from tests.support.tools import ROOT, tool

FILE = ROOT / "docker-compose.yaml"
COMPOSE: dict[str, Any] = yaml.safe_load(FILE.read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
ONE_SHOT = {"ollama-model"}
EXAMPLE = (ROOT / ".env.example").read_text()
NAMED = re.compile(r"(?<!\$)\$\{(\w+)(?::(\?|-)([^}]*))?\}")
REQUIRED = {name for name, kind, _ in NAMED.findall(FILE.read_text()) if kind == "?"}
PROFILES = ["--profile", "demo", "--profile", "ollama"]

each = pytest.mark.parametrize("name", SERVICES)


def compose(env: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [tool("docker-compose"), "--env-file", os.devnull, *PROFILES, *arguments]
    base = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
    return subprocess.run(
        command, cwd=ROOT, env={**base, **env}, capture_output=True, text=True, check=False
    )


def test_schema() -> None:
    """Docker Compose itself finds no fault with it, every profile on."""
    done = compose(dict.fromkeys(REQUIRED, "x"), "config", "--quiet")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


def test_nothing_starts_without_passwords() -> None:
    """Where a password is not set, Compose says which and how to get one."""
    for name in REQUIRED:
        done = compose(dict.fromkeys(REQUIRED - {name}, "x"), "config", "--quiet")
        assert done.returncode != 0
        assert name in done.stderr and "make env" in done.stderr


def test_no_password_is_written_down() -> None:
    """What looks like a credential comes from the environment."""
    for name, service in SERVICES.items():
        for variable, value in service.get("environment", {}).items():
            if re.search(r"PASSWORD|TOKEN|KEY|SECRET", variable):
                assert str(value).startswith("${"), f"{name}: {variable}"


@each
def test_images_are_pinned(name: str) -> None:
    """Every image has a version; our own is built here."""
    image = SERVICES[name]["image"]
    assert image == "llmitm:${LLMITM_TAG:-local}" or re.search(r":v?\d+\.\d+\.?\d*", image)


@each
def test_hardened(name: str) -> None:
    """Nobody is root, writes to the image, or may become more than it is."""
    service = SERVICES[name]
    uid = str(service["user"]).split(":")[0]
    assert uid.isdigit() and int(uid) > 0
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "cap_add", "network_mode", "pid"} & set(service)
    assert "docker.sock" not in str(service)


@each
def test_bounded(name: str) -> None:
    """Each has its share of the machine, and logs that don't grow for ever."""
    limits = SERVICES[name]["deploy"]["resources"]["limits"]
    assert set(limits) == {"cpus", "memory", "pids"}
    assert SERVICES[name]["logging"]["driver"] in ("local", "gelf")


@each
def test_healthy(name: str) -> None:
    """Each says whether it is well, but for what ends by itself."""
    if name in ONE_SHOT:
        assert SERVICES[name]["restart"] == "no"
    else:
        assert SERVICES[name]["healthcheck"]["test"][0].startswith("CMD")
        assert SERVICES[name]["restart"] == "unless-stopped"


@each
def test_only_this_machine(name: str) -> None:
    """Ports are open to this machine only; the gateway's, to whom LLMITM_BIND says."""
    for port in SERVICES[name].get("ports", []):
        assert port.startswith(("127.0.0.1:", "${LLMITM_BIND:-127.0.0.1}:4000:"))


@each
def test_mounts_exist(name: str) -> None:
    """What is mounted is there: a file or folder of ours read-only, or a volume."""
    for mount in SERVICES[name].get("volumes", []):
        source, _, rest = mount.partition(":")
        if source.startswith("."):
            assert (ROOT / source).exists() and rest.endswith(":ro")
        else:
            assert source in COMPOSE["volumes"]


def test_nothing_is_left_over() -> None:
    """Every volume and network is used."""
    used = {mount.partition(":")[0] for s in SERVICES.values() for mount in s.get("volumes", [])}
    assert set(COMPOSE["volumes"]) <= used
    networks = {network for service in SERVICES.values() for network in service["networks"]}
    assert set(COMPOSE["networks"]) == networks


def test_database_and_store_are_kept_apart() -> None:
    """Only the gateway is on the network of the database, beside what is there for it."""
    assert COMPOSE["networks"]["data"] == {"internal": True}
    there = {name for name, service in SERVICES.items() if "data" in service["networks"]}
    assert there == {"gateway", "postgres", "valkey", "simulator"}
    assert all("ports" not in SERVICES[name] for name in ("postgres", "valkey"))


def test_profiles() -> None:
    """The simulator and Ollama, with its model, start where they are asked for."""
    profiles = {
        name: service["profiles"] for name, service in SERVICES.items() if "profiles" in service
    }
    assert profiles == {"simulator": ["demo"], "ollama": ["ollama"], "ollama-model": ["ollama"]}


def test_env_example_has_every_variable() -> None:
    """.env.example names what docker-compose.yaml takes, and nothing else."""
    named = set(re.findall(r"^(?:# )?([A-Z][A-Z_]*)=", EXAMPLE, re.MULTILINE))
    taken = {name for name, _, _ in NAMED.findall(FILE.read_text())}
    assert named == taken | {"COMPOSE_PROFILES"}


def test_make_env_fills_what_is_required(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`make env` gives each required variable a value of its own, once, for its owner's eyes."""
    monkeypatch.setattr(new_env, "ROOT", tmp_path)
    (tmp_path / ".env.example").write_text(EXAMPLE)
    new_env.main()
    first = (tmp_path / ".env").read_text()
    found = dict(re.findall(r"^([A-Z_]+)=(.*)$", first, re.MULTILINE))
    values = [found[name] for name in REQUIRED]
    assert all(len(value) >= 40 for value in values) and len(set(values)) == len(values)
    assert (tmp_path / ".env").stat().st_mode & 0o077 == 0
    assert {name for name, value in found.items() if value} == REQUIRED
    new_env.main()
    assert (tmp_path / ".env").read_text() == first


@pytest.mark.parametrize("file", ["compose", "docker"])
def test_gateway_starts_with_it(tmp_path: Path, file: str) -> None:
    """The gateway takes its configuration without a word, and wants a key of whoever calls."""
    loaded = configured(tmp_path, ROOT / "deploy" / file / "gateway.yaml")
    assert loaded.gateway.auth == "required"
    assert loaded.gateway.admin_token is not None
    warnings = [str(warning) for warning in loaded.warnings]
    assert [warning for warning in warnings if "plain" not in warning] == []


def test_gateway_is_given_what_it_refers_to() -> None:
    """Every variable in the gateway's files is one that its container has."""
    given = set(SERVICES["gateway"]["environment"])
    files = [ROOT / "deploy" / "compose" / "gateway.yaml", *(ROOT / "policies").glob("*.yaml")]
    for file in files:
        text = re.sub(r"#.*", "", file.read_text())
        assert {name for name, _, _ in NAMED.findall(text)} <= given, file.name


def test_addresses_are_services() -> None:
    """What one part calls another by is the name of a service on a network of both."""
    pairs = [
        ("gateway", "deploy/compose/gateway.yaml", r"(?:@|http://)([\w-]+):\d+"),
        (
            "grafana",
            "dashboards/grafana/provisioning/datasources/datasources.yaml",
            r"http://([\w-]+):",
        ),
        ("alloy", "dashboards/alloy/compose.alloy", r"http://([\w-]+):"),
        ("prometheus", "dashboards/prometheus/prometheus.yml", r"\[(alertmanager|gateway)[\]:]"),
    ]
    for caller, file, pattern in pairs:
        for name in re.findall(pattern, (ROOT / file).read_text()):
            assert set(SERVICES[name]["networks"]) & set(SERVICES[caller]["networks"]), name


def test_urls_of_stores() -> None:
    """The stores of the gateway are the services of the file, and no password is in their URLs."""
    text = (ROOT / "deploy" / "compose" / "gateway.yaml").read_text()
    store = yaml.safe_load(text)["store"]
    assert urlsplit(store["ledger"]).password is None
    assert urlsplit(store["shared"]).password == "${VALKEY_PASSWORD}"
    assert yaml.safe_load(text)["workers"] > 1
