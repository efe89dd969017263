"""mitmproxy's own modes beside the gateway's: the addons and options that they need."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterable
from pathlib import Path

from mitmproxy import options
from mitmproxy.addons import (
    block,
    disable_h2c,
    dns_resolver,
    next_layer,
    proxyserver,
    strip_dns_https_records,
    tlsconfig,
)
from mitmproxy.proxy.mode_servers import ServerInstance, WireGuardServerInstance
from mitmproxy.proxy.mode_specs import ProxyMode

logger = logging.getLogger(__name__)

CLOSE_SECONDS = 2.0
CA_CERTIFICATE = "mitmproxy-ca-cert.pem"


def stock_addons() -> list[object]:
    """What mitmproxy needs to find out what a connection speaks, and to answer its TLS.

    `Block` refuses clients with public addresses: none of these listeners is meant for them.
    """
    return [
        block.Block(),
        strip_dns_https_records.StripDnsHttpsRecords(),
        disable_h2c.DisableH2C(),
        dns_resolver.DnsResolver(),
        next_layer.NextLayer(),
        tlsconfig.TlsConfig(),
    ]


def configure(opts: options.Options, ca: Path) -> None:
    """Set the options of mitmproxy for it, with its certificate authority in the directory `ca`.

    Hosts that are redirected are never connected to, so nothing may ask them for a certificate.
    """
    ca.mkdir(mode=0o700, parents=True, exist_ok=True)
    opts.update(
        confdir=str(ca),
        connection_strategy="lazy",
        upstream_cert=False,
        http3=False,  # clients fall back to what can be redirected
        block_private=False,
        validate_inbound_headers=True,
    )
    # The redirector of `local` warns of each line of what the kernel thinks of its type names.
    logging.getLogger("mitmproxy.packet_sources.linux").setLevel(logging.ERROR)


def write_wireguard_clients(servers: Iterable[ServerInstance[ProxyMode]], ca: Path) -> None:
    """Write what a device needs to join each WireGuard listener, and say where.

    It holds the device's private key, so that it is a file of its owner's and no line of a log.
    """
    for server in servers:
        if isinstance(server, WireGuardServerInstance):
            path = ca / f"wireguard-{server.listen_addrs[0][1]}.conf"
            path.touch(mode=0o600)
            path.write_text(f"{server.client_conf()}\n", encoding="utf-8")
            logger.info("proxy mode: a WireGuard client takes %s", path)


async def close_connections(server: proxyserver.Proxyserver) -> None:
    """End the connections that clients keep open: their calls have ended by now."""
    ends = [end for handler in server.connections.values() for end in handler.transports.values()]
    for end in ends:
        if end.handler is not None:
            end.handler.cancel("shutting down")
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(CLOSE_SECONDS):
            while server.connections:  # noqa: ASYNC110 mitmproxy tells nobody
                await asyncio.sleep(0.01)
