"""The command itself: what it says of itself, checks, simulates and refuses to start."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import httpx
import pytest

from llmitm import __version__
from llmitm.cli import main
from llmitm.config.load import load
from llmitm.simulator.faults import parse
from tests.support.gateway import DEFAULT_POLICIES, default_settings, write
from tests.support.terminal import run

ROOT = Path(__file__).resolve().parent.parent
CONFIGURATIONS = Path(__file__).parent / "config"
SECONDS = 60


def commands(
    group: click.Group = main, name: str = "llmitm"
) -> Iterator[tuple[str, click.Command]]:
    """Every command with its whole name, groups included."""
    yield name, group
    for word, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{name} {word}")
        else:
            yield f"{name} {word}", command


ALL = dict(commands())


@pytest.mark.parametrize("name", ALL)
def test_help(name: str) -> None:
    """Every command says what it does, with an example that can be copied."""
    output = run(*name.split()[1:], "--help").output
    assert re.search(rf"^ +{name}( |$)", output.split("Example")[-1], re.MULTILINE), output


def examples() -> Iterator[str]:
    """Every example of every command's help, as it would be typed."""
    for command in ALL.values():
        _, _, shown = (command.help or "").partition("Example")
        for line in shown.splitlines():
            if line.strip().startswith("llmitm "):
                yield re.split(r"\s{2,}| > ", line.strip())[0]


@pytest.mark.parametrize("example", sorted(set(examples())))
def test_examples(example: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Examples are taken as they are printed, by the configuration that comes with them."""
    monkeypatch.chdir(ROOT)
    command, words = main, shlex.split(example)[1:]
    while words and isinstance(command, click.Group):
        command = command.commands[words.pop(0)]
    words = [word.replace("/etc/llmitm/", "config/") for word in words]
    given = command.make_context(example, words).params
    if given.get("fault"):
        assert parse(given["fault"])
    named = {given[name] for name in ("reset", "drain") if given.get(name)}
    assert named <= (shipped_targets() if named else set())


def shipped_targets() -> set[str]:
    loaded = load(ROOT / "config" / "gateway.yaml", {"LLMITM_DEV_KEY": "sk-dev"})
    return {target.name for route in loaded.policies.routes for target in route.targets}


@pytest.mark.parametrize("name", ALL)
def test_options_say_what_they_do(name: str) -> None:
    """No option is without a line of help."""
    options = [p for p in ALL[name].params if isinstance(p, click.Option)]
    assert [option.name for option in options if not option.help] == []


def test_version() -> None:
    """Says which llmitm it is."""
    assert __version__ in run("--version").output


def test_examples_are_complete() -> None:
    """The examples name options that there are."""
    for name, command in ALL.items():
        for line in (command.help or "").splitlines():
            words = line.split()
            if words[:1] == ["llmitm"]:
                known = {o for c in ALL.values() for p in c.params for o in p.opts}
                used = {word for word in words if word.startswith("-")}
                assert used <= known, f"{name}: {line}"


@pytest.fixture
def good(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(CONFIGURATIONS / "good", tmp_path, dirs_exist_ok=True)
    for name in ("ADMIN_TOKEN", "OPENAI_API_KEY", "DEV_KEY", "OTHER_KEY"):
        monkeypatch.setenv(name, f"{name}-canary")
    return tmp_path / "gateway.yaml"


def test_check(good: Path) -> None:
    """A configuration without fault is shown as it is understood, without its secrets."""
    output = run("check", "-c", good).output
    assert "listeners" in output and "routes" in output and "keys" in output
    assert "canary" not in output


BROKEN = sorted(path.name for path in (CONFIGURATIONS / "broken").iterdir() if path.is_dir())


@pytest.mark.parametrize("fault", BROKEN)
def test_check_of_broken_ones(good: Path, fault: str) -> None:
    """Each fault exits with 2 and is told with its file; no command starts on it."""
    shutil.copytree(CONFIGURATIONS / "broken" / fault, good.parent, dirs_exist_ok=True)
    result = run("check", "-c", good, code=2)
    assert ".yaml" in result.stderr
    assert "1 problem; nothing was changed or started." in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.parametrize("name", ["serve", "check", "keys list", "usage", "targets", "doctor"])
def test_no_such_file(tmp_path: Path, name: str) -> None:
    """A file that isn't there is a fault like any other."""
    result = run(*name.split(), "-c", tmp_path / "nowhere.yaml", code=2)
    assert "nowhere.yaml" in result.stderr


def llmitm(*arguments: str, directory: Path) -> subprocess.Popen[str]:
    """The command in a process of its own, started in `directory`."""
    own = {"NO_COLOR": "1", "LLMITM_DATA_DIR": str(directory), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "llmitm.cli", *arguments]
    pipe = subprocess.PIPE
    return subprocess.Popen(
        command, stdout=pipe, stderr=pipe, text=True, env={**os.environ, **own}, cwd=directory
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_simulate(tmp_path: Path, number: signal.Signals) -> None:
    """A fake provider answers, or fails as it was told, until a signal ends it."""
    process = llmitm("simulate", "--port", "0", "--fault", "503", directory=tmp_path)
    assert process.stdout is not None
    line = process.stdout.readline()
    [url] = re.findall(r"http://[\w.:]+", line)
    body = {"model": "any", "messages": [{"role": "user", "content": "hi"}]}
    assert httpx.post(f"{url}/v1/chat/completions", json=body).status_code == 503
    body["model"] = "any@ok"
    assert httpx.post(f"{url}/v1/chat/completions", json=body).status_code == 200
    process.send_signal(number)
    _, errors = process.communicate(timeout=SECONDS)
    assert (process.returncode, errors) == (0, "")


@pytest.mark.parametrize(
    ("options", "said", "code"),
    [
        (["--fault", "nope"], "unknown fault 'nope'", 1),
        (["--pace", "-1"], "must be positive", 1),
        (["--latency", "-1"], "must not be negative", 1),
        (["--port", "70000"], "not in the range", 2),
        (["--host", "203.0.113.1"], "203.0.113.1", 1),
    ],
)
def test_simulate_mistakes(options: list[str], said: str, code: int) -> None:
    """What can't be simulated is said in a line."""
    result = run("simulate", "--port", "0", *options, code=code)
    assert said in result.output
    assert "Traceback" not in result.output


def serve(directory: Path, **settings: object) -> str:
    """What `llmitm serve` says when it can't start."""
    config = write(
        directory, {**default_settings("http://127.0.0.1:9"), **settings}, DEFAULT_POLICIES
    )
    process = llmitm("serve", "-c", str(config), directory=directory)
    _, errors = process.communicate(timeout=SECONDS)
    assert process.returncode == 1
    assert "Traceback" not in errors
    return errors


@pytest.mark.parametrize("listener", ["gateway", "admin"])
def test_port_taken(tmp_path: Path, listener: str) -> None:
    """A port that another program has ends the start with a line that names it."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        free = {"gateway": "127.0.0.1:0", "admin": "127.0.0.1:0", "inspector": None}
        said = serve(tmp_path, listen={**free, listener: address})
    assert f"can't listen on {address}" in said


def test_addon_that_can_not_be_loaded(tmp_path: Path) -> None:
    """A gateway that lacks one of its addons would decide differently: it doesn't start."""
    (tmp_path / "broken.py").write_text("import nowhere_to_be_found\n")
    said = serve(tmp_path, addons=["auth", "./broken.py"])
    assert "broken.py" in said and "nowhere_to_be_found" in said


def test_certificate_that_is_none(tmp_path: Path) -> None:
    """Files that are no certificate and key are told as such."""
    (tmp_path / "cert.pem").write_text("nothing")
    (tmp_path / "key.pem").write_text("nothing")
    listen = {**default_settings("")["listen"], "tls": {"cert": "cert.pem", "key": "key.pem"}}
    assert "listen.tls" in serve(tmp_path, listen=listen)


def test_without_any_file(tmp_path: Path) -> None:
    """`llmitm check` with nothing at all tells of the built-in defaults."""
    process = llmitm("check", directory=tmp_path)
    output, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 0
    assert "127.0.0.1:4000" in output
