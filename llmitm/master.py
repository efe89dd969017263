"""The gateway's mitmproxy master: a bare one, with our addon pipeline and our own run loop."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import resource
import signal
import ssl
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

from mitmproxy import options
from mitmproxy.addons import proxyserver
from mitmproxy.master import Master
from mitmproxy.utils import asyncio_utils

from llmitm import admin, logs, retention, tokens
from llmitm.call import Target
from llmitm.config.defaults import data_directory
from llmitm.config.gateway import AddonEntry
from llmitm.config.load import Loaded
from llmitm.config.problems import ConfigErrors
from llmitm.config.reload import PolicyWatcher
from llmitm.config.schema import Address, Policies, Tls
from llmitm.engine import mode
from llmitm.engine.addon_manager import GatewayAddons
from llmitm.engine.edge import Edge
from llmitm.engine.hooks import HookTable
from llmitm.engine.lifecycle import Lifecycle
from llmitm.engine.upstream import Upstream
from llmitm.health import HealthChecks
from llmitm.keyring import Keyring
from llmitm.metrics import Metrics
from llmitm.pipeline import listed, load_addons
from llmitm.prices import PriceBook
from llmitm.runtime import INSPECTOR_SUFFIX, Runtime
from llmitm.simulator.server import Simulator
from llmitm.simulator.settings import Settings
from llmitm.stores.errors import LedgerError
from llmitm.stores.identities import open_identities
from llmitm.stores.ledger import open_ledger
from llmitm.stores.shared import Shared
from llmitm.targets import Targets

logger = logging.getLogger(__name__)

HURRY_SECONDS = 1.0  # to settle what is broken off, and again to write it to the ledger


class StartupError(Exception):
    """The gateway can't start; the message says why and what to do."""


class GatewayMaster(Master):
    """Runs one gateway process. `ready` is set once the listener accepts calls.

    A worker among several has `reuse_port`, and answers its supervisor on `admin_socket`.
    """

    def __init__(
        self,
        loaded: Loaded,
        env: Mapping[str, str],
        *,
        reuse_port: bool = False,
        admin_socket: Path | None = None,
    ) -> None:
        super().__init__(options.Options(), event_loop=asyncio.get_running_loop())
        self.addons = GatewayAddons(self)  # type: ignore[no-untyped-call]
        self.loaded = loaded
        self.env = env
        self.reuse_port = reuse_port
        self.admin_socket = admin_socket
        self.hooks = HookTable()
        self.ready = asyncio.Event()
        self.draining = False
        self.observers: list[object] = []  # addons of whoever embeds the gateway
        self._edges: list[Edge] = []
        self._stack = contextlib.AsyncExitStack()
        self._drain_timeout = loaded.gateway.drain_timeout
        self._reloading: asyncio.Task[bool] | None = None
        gateway = loaded.gateway
        metrics = Metrics()
        metrics.read("llmitm_workers_ready", lambda: {(): self.serving})
        self.tls = _tls(gateway.listen.tls)
        ledger = open_ledger(gateway.store.ledger)
        targets = Targets(gateway, metrics)
        self.shared = Shared(gateway.store, ledger.flush, targets.follow)
        keyring = Keyring(
            open_identities(gateway.store.ledger), policies=lambda: self.runtime.policies
        )
        self.runtime = Runtime(
            loaded=loaded,
            env=env,
            policies=loaded.policies,
            upstream=Upstream(),
            targets=targets,
            prices=PriceBook(loaded.policies.prices, gateway.providers),
            metrics=metrics,
            ledger=ledger,
            keyring=keyring,
            limits=self.shared.limits,
            budgets=self.shared.budgets,
        )
        targets.tell = self.shared.tell
        targets.price = self._price
        self.shared.linked = lambda up: metrics["llmitm_shared_store_up"].at().set(up)
        if admin_socket is not None:
            self.runtime.inspector_socket = admin_socket.with_suffix(INSPECTOR_SUFFIX)
        self.runtime.targets.circuits.apply(loaded.policies)
        self.lifecycle = self.runtime.lifecycle = Lifecycle(self.hooks, self.runtime)

    # What the gateway mode asks of its master.
    def edge(self) -> Edge:
        edge = Edge(self.lifecycle, self.loaded.gateway.http)
        self._edges.append(edge)
        return edge

    @property
    def address(self) -> tuple[str, int]:
        """Where the gateway listens, once ready."""
        server: proxyserver.Proxyserver = self.addons.get("proxyserver")
        host, port, *_ = server.listen_addrs()[0]
        return host, port

    @property
    def serving(self) -> bool:
        """Whether calls are accepted."""
        return self.ready.is_set() and not self.draining

    async def run(self) -> None:
        """Serve until `shutdown`.

        mitmproxy's own `run` would install an eager task factory that uvloop can't run with.
        """
        with asyncio_utils.install_exception_handler(self._asyncio_exception_handler):
            try:
                await self.start()
                await self.should_exit.wait()
            finally:
                await self.stop()

    async def start(self) -> None:
        tokens.preload()
        await self._start_simulator()
        self._load_addons()
        await self._share()
        await self._listen()
        self.admin_address = await self._administer()
        # A worker's own is no port; that of the whole gateway is as private.
        private = {self.admin_address[1], self.loaded.gateway.listen.admin.port}
        self.runtime.proxy.private_ports |= private - {0}
        self._watch_policies()
        await self.running()
        self.ready.set()
        if self.admin_socket is None:
            addresses = (Address(*self.address), Address(*self.admin_address))
            logger.info("the gateway listens on %s, its admin API on %s", *addresses)

    async def stop(self) -> None:
        """Refuse new calls, let running ones end, write out the ledger."""
        self.draining = True
        for server in self.addons.get("proxyserver").servers if self.ready.is_set() else ():
            await server.stop()
        await self.hooks.observe("draining")
        await asyncio.gather(*(edge.drain(self._drain_timeout) for edge in self._edges))
        await self.lifecycle.settled(self._drain_timeout)
        await self.done()
        await self._stack.aclose()
        await self.runtime.upstream.close()
        self.runtime.ledger.close(self._drain_timeout)

    def end(self) -> None:
        """Drain and end; when asked again, end at once. What is recorded is kept either way."""
        if self.should_exit.is_set():
            self._drain_timeout = HURRY_SECONDS
            for edge in self._edges:
                edge.hurry()
        self.should_exit.set()

    def reload(self) -> None:
        """Read the policies again, changed or not."""
        if self.ready.is_set():
            self._reloading = asyncio.create_task(self.watcher.reload_now())

    def apply(self, policies: Policies) -> None:
        """Make a new policy snapshot the one in force, for calls that begin from now on."""
        if policies.logging != self.runtime.policies.logging:
            logs.configure(policies.logging.level, policies.logging.format)
        self.runtime.policies = policies
        self.runtime.prices = PriceBook(policies.prices, self.loaded.gateway.providers)
        self.runtime.targets.circuits.apply(policies)
        self.runtime.metrics["llmitm_config_reloads_total"].at("success").inc()
        logger.info("policies reloaded")

    def reject(self, errors: ConfigErrors) -> None:
        """A policy edit was refused: what was in force stays."""
        self.runtime.metrics["llmitm_config_reloads_total"].at("failure").inc()
        for problem in errors.problems:
            logger.error("policy edit refused: %s", problem)

    def _price(self, target: Target, model: str) -> Decimal | None:
        """What the strategy `cheapest` compares: USD of a token read and one written."""
        price = self.runtime.prices.unit_price(target.provider, model)
        return None if price is None else price.base.input + price.base.output

    def _load_addons(self) -> None:
        self.addons.add(proxyserver.Proxyserver())
        if self.loaded.gateway.listen.intercept:
            self._load_proxy_mode()
        of_mitmproxy = len(self.addons.chain)
        load_addons(self, listed(self.loaded.gateway))
        self.hooks.rebuild([*self.addons.chain[of_mitmproxy:], *self.observers])

    def _load_proxy_mode(self) -> None:
        from llmitm import proxy_mode  # mitmproxy's TLS and DNS, which few need

        self._proxy_mode = proxy_mode
        ca = self._ca
        self.addons.add(*proxy_mode.stock_addons())
        server = self.addons.get("proxyserver")
        self._stack.push_async_callback(proxy_mode.close_connections, server)
        proxy_mode.configure(self.options, ca)
        load_addons(self, [AddonEntry("intercept")], builtin=False)
        logger.info("proxy mode: clients have to trust %s", ca / proxy_mode.CA_CERTIFICATE)

    @property
    def _ca(self) -> Path:
        """The directory of the authority that clients of proxy mode trust."""
        return self.loaded.gateway.intercept.ca or data_directory(self.env) / "ca"

    async def _listen(self) -> None:
        listen = self.loaded.gateway.listen
        specs = [f"{mode.GatewayMode.type_name}@{listen.gateway.host}:{listen.gateway.port}"]
        if listen.intercept:
            specs += [mode.INNER_SPEC, *listen.intercept]
        self.options.update(mode=specs)
        server: proxyserver.Proxyserver = self.addons.get("proxyserver")
        if not await server.setup_servers():
            failed = next(s for s in server.servers if s.last_exception)
            address = failed.mode.full_spec.removeprefix(f"{mode.GatewayMode.type_name}@")
            raise StartupError(f"can't listen on {address}: {mode.failure(failed)}")
        if listen.intercept:
            self.runtime.proxy.inner = server.servers[mode.INNER_SPEC].listen_addrs[0][:2]
            self._proxy_mode.write_wireguard_clients(server.servers, self._ca)

    async def _administer(self) -> tuple[str, int]:
        try:
            return await self._stack.enter_async_context(admin.serving(self))
        except OSError as fault:
            listen = self.loaded.gateway.listen.admin
            raise StartupError(f"can't listen on {listen}, listen.admin: {fault}") from fault

    async def _start_simulator(self) -> None:
        providers = self.loaded.gateway.providers
        for name, provider in providers.items():
            if provider.api == "simulator" and not provider.base_url:
                simulator = Simulator(Settings())
                self.runtime.targets.base_urls[name] = await simulator.start()
                self._stack.push_async_callback(simulator.stop)

    async def _share(self) -> None:
        """Know keys and accounts before the first call, and follow what changes."""
        keyring = self.runtime.keyring
        self._stack.push_async_callback(keyring.identities.close)
        self._stack.push_async_callback(self.shared.close)
        with contextlib.suppress(LedgerError):  # its own task says so, and tries again
            await keyring.refresh()
        ready = asyncio.Event()
        pruning = retention.run(self.runtime.ledger, lambda: self.runtime.policies.logging)
        checks = HealthChecks(self.runtime)
        for work in (keyring.run(), self.shared.run(ready), pruning, checks.run()):
            task = asyncio.create_task(work)
            self._stack.push_async_callback(_cancel, task)
        await ready.wait()

    def _watch_policies(self) -> None:
        watcher = PolicyWatcher(self.loaded, self.env, self.apply, self.reject)
        self.watcher = watcher
        task = asyncio.create_task(watcher.run(), name="policy watcher")
        self._stack.push_async_callback(_cancel, task)


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def _tls(settings: Tls | None) -> ssl.SSLContext | None:
    if settings is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(settings.cert, settings.key)
    except OSError as fault:  # ssl.SSLError is one
        raise StartupError(
            f"listen.tls: {settings.cert} and {settings.key} are no certificate chain and its "
            f"key, both PEM: {fault}"
        ) from fault
    return context


async def serve(loaded: Loaded, env: Mapping[str, str]) -> None:
    """Run a gateway until SIGTERM or SIGINT."""
    await run_until_signalled(GatewayMaster(loaded, env))


def _allow_many_connections() -> None:
    """A call has two file descriptors, and shells often start programs with a limit of 1,024."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


async def run_until_signalled(master: GatewayMaster) -> None:
    _allow_many_connections()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, master.end)
    loop.add_signal_handler(signal.SIGHUP, master.reload)
    frozen = asyncio.create_task(_spare_what_stays(master), name="spare what stays")
    try:
        await master.run()
    finally:
        frozen.cancel()


async def _spare_what_stays(master: GatewayMaster) -> None:
    """Keep the garbage collector off what was made for good.

    Modules, schemas and prices are more than 100,000 objects: going over them again and again
    stops every stream for a tenth of a second each time.
    """
    await master.ready.wait()
    gc.freeze()
