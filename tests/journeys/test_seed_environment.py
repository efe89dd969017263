"""Every environment variable of the table has its effect in a running gateway."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from ports import free_ports

from llmitm.config.environment import VARIABLES
from llmitm.policy.breaker import Breaker
from llmitm.policy.outcome import Outcome
from llmitm.simulator.server import Simulator
from tests.support.calls import watch
from tests.support.gateway import Gateway, Starter, default_settings
from tests.support.seeds import from_environment

Effect = Callable[[Starter], None]
EFFECTS: dict[str, Effect] = {}
START_SECONDS = 60


def effect(*names: str) -> Callable[[Effect], Effect]:
    """Register what shows the effect of these variables."""

    def register(function: Effect) -> Effect:
        EFFECTS.update(dict.fromkeys(names, function))
        return function

    return register


def behind_llm(starter: Starter, **env: str) -> tuple[Gateway, Simulator]:
    """A gateway before one OpenAI-compatible server, as the third seed has it."""
    simulator, url = starter.simulator()
    return from_environment(starter, LLM_BASE_URL=url, **env), simulator


def ask(gateway: Gateway, model: str = "any", **headers: str) -> httpx.Response:
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}]}
    return httpx.post(f"{gateway.url}/v1/chat/completions", json=body, headers=headers)


def state(gateway: Gateway, target: str = "llm/any") -> dict[str, Any]:
    listed = httpx.get(f"{gateway.admin_url}/admin/targets").json()["targets"]
    return next(entry for entry in listed if entry["target"] == target)


def model_asked(simulator: Simulator) -> str | None:
    return simulator.requests[-1].model


def key_sent(simulator: Simulator) -> str | None:
    headers = simulator.requests[-1].headers
    return headers.get("authorization") or headers.get("x-api-key")


@effect("HTTP_PORT", "METRICS_PORT", "LOG_LEVEL")
def ports_and_level(starter: Starter) -> None:
    """A process of its own listens where it is told to, and says no more than it is told to."""
    _, url = starter.simulator()
    settings = {**default_settings(url), "auth": "anonymous", "policies": None}
    path = starter.directory / "gateway.yaml"
    path.write_text(yaml.safe_dump({k: v for k, v in settings.items() if v is not None}))
    for level, expected in (("info", True), ("error", False)):
        http_port, metrics_port = free_ports(2)
        env = {"HTTP_PORT": http_port, "METRICS_PORT": metrics_port, "LOG_LEVEL": level}
        said = _served(path, env, http_port, metrics_port)
        assert ('"event":"call"' in said) is expected, (level, said)


def _served(path: Path, env: dict[str, Any], http_port: int, metrics_port: int) -> str:
    """What a gateway process writes to its log that answers one call."""
    whole = {**os.environ, "PYTHONPATH": str(Path.cwd()), **{k: str(v) for k, v in env.items()}}
    command = [sys.executable, "-m", "llmitm.cli", "serve", "-c", str(path)]
    process = subprocess.Popen(command, env=whole, stdout=subprocess.PIPE, text=True)
    try:
        _until_ready(f"http://127.0.0.1:{metrics_port}/readyz")
        reply = httpx.get(f"http://127.0.0.1:{http_port}/v1/models")
        assert reply.status_code == 200
        process.send_signal(signal.SIGTERM)
        return process.communicate(timeout=START_SECONDS)[0]
    finally:
        process.kill()
        process.communicate()


def _until_ready(url: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            if httpx.get(url).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    pytest.fail(f"{url} does not answer")


@effect("LLMITM_SEED_APIS")
def switch(starter: Starter) -> None:
    """The seeds' endpoints are there only where they are switched on."""
    gateway, _ = behind_llm(starter)
    body = {"prompt": "hi"}
    assert httpx.post(f"{gateway.url}/llm/generate", json=body).status_code == 200
    gateway, _ = behind_llm(starter, LLMITM_SEED_APIS="false")
    assert httpx.post(f"{gateway.url}/llm/generate", json=body).status_code != 200


@effect("LLM_MAX_RETRIES")
def retries(starter: Starter) -> None:
    """A call makes one attempt and so many more."""
    gateway, simulator = behind_llm(
        starter, LLM_MAX_RETRIES="4", LLM_CIRCUIT_BREAKER_ENABLED="false"
    )
    simulator.fault = "500"
    assert ask(gateway).status_code == 503
    assert simulator.total == 5


class Longest(random.Random):
    """Draws the upper bound, so that a pause is its whole step."""

    def uniform(self, _a: float, b: float) -> float:
        return b


@effect("LLM_RETRY_DELAY", "LLM_RETRY_BACKOFF")
def backoff(starter: Starter) -> None:
    """The pause before the first retry has the step that is set; the next one's has grown."""
    env = {"LLM_RETRY_DELAY": "50ms", "LLM_RETRY_BACKOFF": "9", "LLM_MAX_RETRIES": "2"}
    gateway, simulator = behind_llm(starter, **env)
    simulator.fault = "500"
    watcher = watch(gateway)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("llmitm.engine.exchange._rng", Longest())
        ask(gateway)
    (record,) = watcher.wait()
    assert len(record.attempts) == 3
    assert record.duration_ms >= 50 + 9 * 50


@effect("LLM_TIMEOUT")
def timeout(starter: Starter) -> None:
    """A call that takes longer is a timeout; without the variable it would be for minutes."""
    gateway, simulator = behind_llm(starter, LLM_TIMEOUT="200ms")
    simulator.fault = "silence"
    assert ask(gateway).status_code == 504


@effect("LLM_CIRCUIT_BREAKER_ENABLED")
def breaker_off(starter: Starter) -> None:
    """No number of failures opens a circuit that is off."""
    gateway, simulator = behind_llm(
        starter, LLM_CIRCUIT_BREAKER_ENABLED="false", LLM_MAX_RETRIES="0"
    )
    simulator.fault = "500"
    for _ in range(5):
        ask(gateway)
    assert simulator.total == 5
    assert state(gateway)["state"] == "closed"


@effect("LLM_CIRCUIT_BREAKER_MAX_FAILURES")
def streak(starter: Starter) -> None:
    """So many failures in a row open the circuit, and no fewer."""
    gateway, simulator = behind_llm(
        starter, LLM_CIRCUIT_BREAKER_MAX_FAILURES="5", LLM_MAX_RETRIES="0"
    )
    simulator.fault = "500"
    for failures in range(1, 6):
        ask(gateway)
        assert state(gateway)["state"] == ("open" if failures == 5 else "closed")


@effect("LLM_CIRCUIT_BREAKER_FAILURE_THRESHOLD", "LLM_CIRCUIT_BREAKER_TIME_WINDOW")
def failure_rate(starter: Starter) -> None:
    """A share of failures opens the circuit, counted over the window that is set."""
    env = {"LLM_CIRCUIT_BREAKER_MAX_FAILURES": "100", "LLM_MAX_RETRIES": "0"}
    env["LLM_CIRCUIT_BREAKER_TIME_WINDOW"] = "20s"
    for threshold, expected in (("0.3", "open"), ("0.5", "closed")):
        env["LLM_CIRCUIT_BREAKER_FAILURE_THRESHOLD"] = threshold
        gateway, simulator = behind_llm(starter, **env)
        for number in range(10):
            simulator.fault = "500" if number >= 6 else None  # 4 of 10
            ask(gateway)
        assert state(gateway)["state"] == expected
    breaker, now = _breaker(gateway), time.monotonic()
    assert gateway.call(lambda: breaker.snapshot(now).failure_count) == 4
    assert gateway.call(lambda: breaker.snapshot(now + 21).failure_count) == 0


@effect("LLM_CIRCUIT_BREAKER_SLOW_CALL_DURATION")
def slow_calls(starter: Starter) -> None:
    """A call that takes longer counts as a failure, though its answer is delivered."""
    gateway, simulator = behind_llm(
        starter, LLM_CIRCUIT_BREAKER_SLOW_CALL_DURATION="20ms", LLM_MAX_RETRIES="0"
    )
    simulator.fault = "ok:latency=0.05"
    assert ask(gateway).status_code == 200
    assert state(gateway)["failures"] == 1


@effect("LLM_CIRCUIT_BREAKER_RESET_TIMEOUT", "LLM_CIRCUIT_BREAKER_HALF_OPEN_MAX_CALLS")
def recovery(starter: Starter) -> None:
    """An open circuit stays so for the time that is set, then lets so many probes through."""
    gateway, simulator = behind_llm(
        starter,
        LLM_CIRCUIT_BREAKER_RESET_TIMEOUT="45s",
        LLM_CIRCUIT_BREAKER_HALF_OPEN_MAX_CALLS="2",
        LLM_MAX_RETRIES="0",
    )
    simulator.fault = "500"
    for _ in range(3):
        ask(gateway)
    assert 0 < state(gateway)["next_retry_in"] <= 45
    breaker, now = _breaker(gateway), time.monotonic()
    assert gateway.call(lambda: breaker.admit(now + 30)) is None
    probes = gateway.call(lambda: [breaker.admit(now + 46) for _ in range(3)])
    assert [probe is not None for probe in probes] == [True, True, False]
    gateway.call(lambda: breaker.record(probes[0], Outcome.SUCCESS, now + 47, 0.1))
    assert state(gateway)["state"] == "closed"


def _breaker(gateway: Gateway) -> Breaker:
    return gateway.call(lambda: gateway.master.runtime.targets.circuits.guard("llm/any").breaker)


@effect("LLM_BASE_URL", "LLM_API_KEY", "LLM_MODEL")
def llm(starter: Starter) -> None:
    """The server is asked at its URL, with its credential, for its model."""
    gateway, simulator = behind_llm(starter, LLM_API_KEY="sk-llm", LLM_MODEL="openai/gpt-4o")
    assert httpx.post(f"{gateway.url}/generate", json={"prompt": "hi"}).status_code == 200
    assert (key_sent(simulator), model_asked(simulator)) == ("Bearer sk-llm", "openai/gpt-4o")
    assert simulator.requests[-1].path == "/v1/chat/completions"


def keyed(name: str, **more: str) -> Effect:
    """Shows a provider of `NAME_API_KEY`, `NAME_BASE_URL` and `NAME_MODEL`, and its costs."""

    def show(starter: Starter) -> None:
        simulator, url = starter.simulator(tokens=10)
        upper = name.upper()
        url = url if name == "anthropic" else f"{url}/v1"
        env = {f"{upper}_API_KEY": "sk-1", f"{upper}_BASE_URL": url, f"{upper}_MODEL": "mine"}
        gateway = from_environment(starter, **env, **more)
        reply = httpx.post(f"{gateway.url}/generate", json={"prompt": "hi"})
        assert reply.status_code == 200
        assert model_asked(simulator) == "mine"
        assert "sk-1" in (key_sent(simulator) or "")
        if more:
            usage = watch_usage(gateway)
            cost = usage["prompt_tokens"] * 2 + usage["completion_tokens"] * 3
            assert usage["cost_usd"] == pytest.approx(cost / 1000)

    show.__name__ = name
    return show


def watch_usage(gateway: Gateway) -> dict[str, Any]:
    user = httpx.post(f"{gateway.url}/api/users", json={"name": "Ava"}).json()["id"]
    body = {"user_id": user, "prompt": "hi"}
    usage: dict[str, Any] = httpx.post(f"{gateway.url}/api/generate", json=body).json()["usage"]
    return usage


for NAME in ("openai", "gemini"):
    costs = {
        f"{NAME.upper()}_INPUT_COST_PER_1K": "2",
        f"{NAME.upper()}_OUTPUT_COST_PER_1K": "3",
    }
    usual = (f"{NAME.upper()}_{part}" for part in ("API_KEY", "BASE_URL", "MODEL"))
    effect(*usual, *costs)(keyed(NAME, **costs))
effect("ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", "ANTHROPIC_MODEL")(keyed("anthropic"))


@effect("OLLAMA_URL", "OLLAMA_HOST")
def ollama(starter: Starter) -> None:
    """Ollama is asked where the URL says, or the host and port it was told to listen on."""
    for variable in ("OLLAMA_URL", "OLLAMA_HOST"):
        simulator, url = starter.simulator()
        value = url if variable == "OLLAMA_URL" else url.removeprefix("http://")
        gateway = from_environment(starter, **{variable: value})
        body = {"model": "llama3", "prompt": "hi", "stream": False}
        assert httpx.post(f"{gateway.url}/api/generate", json=body).status_code == 200
        assert simulator.requests[-1].path == "/api/generate"


@effect("WORKER_ADDRESSES")
def workers(starter: Starter) -> None:
    """Calls go to the workers in turn."""
    simulators = [starter.simulator()[0] for _ in range(2)]
    addresses = ", ".join(simulator.url.removeprefix("http://") for simulator in simulators)
    gateway = from_environment(starter, WORKER_ADDRESSES=addresses)
    for _ in range(4):
        assert ask(gateway).status_code == 200
    assert [simulator.total for simulator in simulators] == [2, 2]


@effect("API_KEYS")
def keys(starter: Starter) -> None:
    """Each key opens the door, and nothing else does."""
    gateway, _ = behind_llm(starter, API_KEYS="one, two")
    for key, status in (("one", 200), ("two", 200), ("three", 401)):
        assert ask(gateway, authorization=f"Bearer {key}").status_code == status
    assert ask(gateway).status_code == 401


@effect("LLMITM_DATA_DIR", "XDG_DATA_HOME")
def data(starter: Starter) -> None:
    """The ledger lies in the directory that is set, or in one of its own in the user's."""
    places = {"LLMITM_DATA_DIR": "llmitm.db", "XDG_DATA_HOME": "llmitm/llmitm.db"}
    for variable, place in places.items():
        directory = starter.directory / variable
        behind_llm(starter, **{variable: str(directory)})
        assert (directory / place).is_file()


@pytest.mark.parametrize("show", dict.fromkeys(EFFECTS.values()), ids=lambda show: show.__name__)
def test_effect(show: Effect, starter: Starter) -> None:
    """The gateway does what the variables say, and not what it does without them."""
    show(starter)


def test_every_variable_has_an_effect() -> None:
    """No variable of the table is left out here."""
    assert set(EFFECTS) == {variable.name for variable in VARIABLES}
