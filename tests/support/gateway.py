"""A whole gateway on real sockets, in a thread with its own event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvloop
import yaml

from llmitm.config.load import Loaded, load
from llmitm.master import GatewayMaster
from llmitm.simulator.server import Simulator
from llmitm.simulator.settings import Settings

KEY = "sk-client-0123456789"
START_SECONDS = 60
STOP_SECONDS = 60


class LoopThread:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self.loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def run[T](self, work: Coroutine[Any, Any, T], timeout: float = START_SECONDS) -> T:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(timeout)

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(STOP_SECONDS)
        self.loop.close()


@dataclass
class Gateway:
    """A running gateway. `url` is its base URL without /v1, `policies` the directory to edit."""

    master: GatewayMaster
    thread: LoopThread
    directory: Path
    done: Any = None

    @property
    def url(self) -> str:
        host, port = self.master.address
        return f"http://{host}:{port}"

    @property
    def admin_url(self) -> str:
        host, port = self.master.admin_address
        return f"http://{host}:{port}"

    @property
    def policies(self) -> Path:
        return self.directory / "policies"

    def call[T](self, function: Callable[[], T]) -> T:
        """Run `function` on the gateway's loop."""

        async def work() -> T:
            return function()

        return self.thread.run(work())

    def stop(self) -> None:
        self.master.shutdown()
        self.done.result(STOP_SECONDS)


def default_settings(provider_url: str) -> dict[str, Any]:
    return {
        "listen": {"gateway": "127.0.0.1:0", "admin": "127.0.0.1:0", "inspector": None},
        "auth": "required",
        "providers": {"sim": {"api": "simulator", "base_url": provider_url}},
        "store": {"ledger": "sqlite:///ledger.db", "shared": "memory"},
        "policies": "policies",
    }


DEFAULT_POLICIES: dict[str, Any] = {
    "keys": {"keys": [{"id": "dev", "key": KEY}]},
    "routes": {"routes": [{"model": "*", "targets": [{"provider": "sim", "model": "*"}]}]},
}


def write(directory: Path, settings: Mapping[str, Any], policies: Mapping[str, Any]) -> Path:
    """The configuration files of a gateway; returns the path of gateway.yaml."""
    (directory / "policies").mkdir(exist_ok=True)
    for name, content in policies.items():
        (directory / "policies" / f"{name}.yaml").write_text(yaml.safe_dump(content))
    path = directory / "gateway.yaml"
    path.write_text(yaml.safe_dump(dict(settings)))
    return path


@dataclass
class Starter:
    """Starts gateways and simulators, and stops them all at the end of the test."""

    directory: Path
    thread: LoopThread = field(default_factory=LoopThread)
    running: list[Callable[[], None]] = field(default_factory=list)

    def simulator(self, **settings: Any) -> tuple[Simulator, str]:
        simulator = Simulator(Settings(**settings))
        url = self.thread.run(simulator.start())
        self.running.append(lambda: self.thread.run(simulator.stop()))
        return simulator, url

    def gateway(
        self,
        settings: Mapping[str, Any] | None = None,
        policies: Mapping[str, Any] | None = None,
        *,
        provider_url: str = "",
        env: Mapping[str, str] | None = None,
    ) -> Gateway:
        merged = {**default_settings(provider_url), **(settings or {})}
        path = write(self.directory, merged, {**DEFAULT_POLICIES, **(policies or {})})
        return self.serve(load(path, env or {}), env or {})

    def serve(self, loaded: Loaded, env: Mapping[str, str]) -> Gateway:
        """Run a gateway of a configuration, wherever it comes from."""

        async def begin() -> tuple[GatewayMaster, asyncio.Task[None]]:
            master = GatewayMaster(loaded, env)
            task = asyncio.get_running_loop().create_task(master.run())
            ready = asyncio.ensure_future(master.ready.wait())
            await asyncio.wait({task, ready}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                ready.cancel()
                task.result()
            return master, task

        master, task = self.thread.run(begin())

        async def ended() -> None:
            await task

        done = asyncio.run_coroutine_threadsafe(ended(), self.thread.loop)
        gateway = Gateway(master, self.thread, self.directory, done)
        self.running.append(gateway.stop)
        return gateway

    def close(self) -> None:
        for stop in reversed(self.running):
            stop()
        self.thread.close()
